"""How often a process looks for garbage: objects that only point at each other.

What a server has once it is ready (modules, models, rules) are some 300,000 objects that stay. To
look through all of them takes 0.3 s, in which it serves nobody.
"""

import gc

OFTEN = (5_000, 10, 5)
"""How many new objects, and looks at younger ones, there are between two looks (`gc`).

Most of what an answer makes is gone by itself before anybody looks.
"""


def settle() -> None:
    """Leave alone what there is by now, for good: for servers, once they are ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*OFTEN)
