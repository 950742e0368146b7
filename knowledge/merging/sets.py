"""Three-way merge of sets that are kept in an order, such as tags. It never conflicts."""

from collections.abc import Sequence


def merge_sets(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Return what either side added and neither removed.

    The order is that of the side that changed it, else the base's; what is new stands behind, in
    its side's order or, where both sides added, sorted. Swapping the sides changes nothing.
    """
    base, ours, theirs = (list(dict.fromkeys(each)) for each in (base, ours, theirs))
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    kept = set(base) & set(ours) & set(theirs)
    orders = [[name for name in side if name in kept] for side in (base, ours, theirs)]
    stays = orders[0]
    if orders[1] != orders[0] and orders[2] in (orders[0], orders[1]):
        stays = orders[1]
    elif orders[2] != orders[0] and orders[1] == orders[0]:
        stays = orders[2]
    by_ours = [name for name in ours if name not in base]
    by_theirs = [name for name in theirs if name not in base]
    if by_ours and by_theirs and by_ours != by_theirs:
        return [*stays, *sorted({*by_ours, *by_theirs})]
    return [*stays, *(by_ours or by_theirs)]
