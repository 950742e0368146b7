"""How many passages a second the index takes in, beside the bare rate of the embedding model.

Usage: python benchmarks/ingest_speed.py [PASSAGES]

Both in one run on the same texts, in turns, so that what else the machine does meets both alike:
batches are embedded bare, then other batches of the same kind go the whole way of a bulk job (cut,
analyse, embed, swap in one transaction).
"""

import sys
import time

import stage

BATCH = 64  # nodes a swap, as bulk jobs do it
WORDS = 85


def main() -> None:
    """Measure and print."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    stage.begin()
    machine = stage.machine()
    from knowledge.passages import passages_of
    from project.inference.embeddings import default_model, embed_texts

    writer = stage.Writer()
    space = stage.make_space("ingest-speed")
    model = default_model()
    embed_texts(model, ["warm up"], purpose="document")
    rounds = max(1, wanted // (2 * BATCH))
    bare = whole = 0.0
    embedded = indexed = 0
    for number in range(rounds):
        rows = [
            (f"{number}-{row}", " ".join(writer.words(4)).capitalize(), writer.text(WORDS))
            for row in range(2 * BATCH)
        ]
        nodes = stage.make_nodes(space, rows)
        texts = [one.embedded for node in nodes[:BATCH] for one in passages_of(node)]
        started = time.perf_counter()
        embed_texts(model, texts, purpose="document")
        bare += time.perf_counter() - started
        embedded += len(texts)
        started = time.perf_counter()
        indexed += stage.index(nodes[BATCH:], batch=BATCH)
        whole += time.perf_counter() - started
    stage.table(
        f"Ingest, {model.key}, passages of about {WORDS} words; {machine}",
        ["", "passages", "passages/s", "share of the bare rate"],
        [
            ["embedding alone", str(embedded), f"{embedded / bare:.0f}", "1.00"],
            [
                "cut, analysed, embedded, swapped",
                str(indexed),
                f"{indexed / whole:.0f}",
                f"{(indexed / whole) / (embedded / bare):.2f}",
            ],
        ],
    )


if __name__ == "__main__":
    main()
