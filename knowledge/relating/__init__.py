"""What belongs together: the nodes related to a node, and relations to suggest.

1. `evidence`: what speaks for a pair of nodes, and how strongly; pure.
2. `passages`: the passages of nodes with their vectors and words; `candidates`: the nodes that may
   be near; `likeness`: how near they are.
3. `citing`: what answers cite together; `naming`: titles and addresses in the texts of others.
4. `related`: the related nodes of a node, for a reader.
5. `pairs`: all evidence of the pairs of a node; `refreshing`: rows of it for editors to decide.

Modules import in that direction. Readers only meet what `Node.objects.searchable_by` permits them.
"""
