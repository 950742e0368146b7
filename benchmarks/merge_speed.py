"""How long a comparison and a three-way merge take for texts of 1 kB to 1 MB, beside git's.

Usage: python benchmarks/merge_speed.py [--check COUNT]

Three texts a size: a base of paragraphs like the demo's, and two sides with one edit in fifty
lines. `git merge-file` runs as a process of its own, as who used it instead would run it; `git,
empty` is the same process on three empty files. The last lines are the hard cases: every line
rewritten, and a text of four different lines where nothing is unique.

With --check, that many merges of edited demo pages are compared with git's, text for text; it fails
where git merges and there is a conflict here. Other texts differ where equal lines, mostly empty
ones, leave more than one shortest edit.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import stage

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 7
EDITS_IN = 50  # lines
WORDS = (
    *("tide", "boat", "harbour", "ferry", "lease", "water", "pump"),
    *("cable", "crew", "night", "storm", "price", "desk", "island"),
)


def base_of(size: int, numbers: random.Random) -> list[str]:
    """Return lines, of about `size` characters in all: headings, paragraphs, lists, blank lines."""
    lines: list[str] = []
    length = 0
    while length < size:
        kind = numbers.random()
        words = " ".join(numbers.choices(WORDS, k=numbers.randint(6, 30)))
        if kind < 0.1:
            new = [f"## {words[:40]}\n", "\n"]
        elif kind < 0.5:
            new = [f"- {words[:60]}\n" for _ in range(numbers.randint(2, 5))] + ["\n"]
        else:
            new = [f"{words}.\n", "\n"]
        lines += new
        length += sum(map(len, new))
    return lines


def edited(lines: list[str], numbers: random.Random, edits: int) -> list[str]:
    """Return the lines after that many edits: words, lines, paragraphs, moves."""
    lines = list(lines)
    for _ in range(edits):
        at = numbers.randrange(len(lines))
        kind = numbers.random()
        if kind < 0.4 and lines[at].strip():
            words = lines[at].rstrip("\n").split(" ")
            words[numbers.randrange(len(words))] = numbers.choice(WORDS)
            lines[at] = " ".join(words) + "\n"
        elif kind < 0.6:
            lines[at:at] = [" ".join(numbers.choices(WORDS, k=12)) + ".\n", "\n"]
        elif kind < 0.8 and len(lines) > 3:
            del lines[at : at + numbers.randint(1, 2)]
        else:
            lines.insert(numbers.randrange(len(lines)), lines.pop(at))
    return lines


class Git:
    """`git merge-file` on files in a temporary folder."""

    def __init__(self, folder: str) -> None:
        self._paths = [Path(folder, name) for name in ("ours", "base", "theirs")]

    def put(self, base: str, ours: str, theirs: str) -> None:
        """Write the three texts."""
        for path, text in zip(self._paths, (ours, base, theirs), strict=True):
            path.write_text(text, encoding="utf-8", newline="")

    def merge(self) -> tuple[bool, str]:
        """Return whether git merged without a conflict, and what it made."""
        command = ["git", "merge-file", "-p", *map(str, self._paths)]
        done = subprocess.run(command, capture_output=True, check=False)
        return done.returncode == 0, done.stdout.decode("utf-8")


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the longest of some runs."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken), max(taken)


def measure(git: Git) -> None:
    """Print one row a text: what each takes, and the conflicts of the merge."""
    from knowledge.merging.rows import compare_texts
    from knowledge.merging.text import merge_texts

    numbers = random.Random(7)
    cases = []
    for size in SIZES:
        base = base_of(size, numbers)
        edits = max(2, len(base) // EDITS_IN)
        sides = [edited(base, numbers, edits) for _ in range(2)]
        cases.append((f"{size // 1000} kB, {len(base)} lines", base, *sides))
    base = base_of(SIZES[-1], numbers)
    cases.append(("1 MB, all rewritten", base, *(base_of(SIZES[-1], numbers) for _ in range(2))))
    few = [numbers.choice(["\n", "-\n", "|\n", "a longer line of text\n"]) for _ in range(50_000)]
    cases.append(("50,000 lines of 4 kinds", few, *(edited(few, numbers, 1000) for _ in range(2))))
    git.put("", "", "")
    empty, _longest = milliseconds(git.merge)
    print(f"git, empty: {empty:.1f} ms\n")
    print("| text | compare p50 / max ms | merge p50 / max ms | conflicts | git p50 / max ms |")
    print("|---|---|---|---|---|")
    for name, *three in cases:
        base, ours, theirs = ("".join(lines) for lines in three)
        git.put(base, ours, theirs)
        found = [
            milliseconds(lambda a=base, b=ours: compare_texts(a, b)),
            milliseconds(lambda a=base, b=ours, c=theirs: merge_texts(a, b, c)),
            milliseconds(git.merge),
        ]
        shown = [f"{median:.1f} / {longest:.1f}" for median, longest in found]
        conflicts = len(merge_texts(base, ours, theirs).conflicts)
        print(f"| {name} | {shown[0]} | {shown[1]} | {conflicts} | {shown[2]} |", flush=True)


def check(git: Git, count: int) -> bool:
    """Compare that many merges of edited demo pages with git's; return whether none is worse."""
    from knowledge.merging.text import merge_texts

    demo = Path(__file__).resolve().parent.parent / "project" / "demo" / "nodes"
    pages = [
        path.read_text(encoding="utf-8").splitlines(keepends=True)
        for path in sorted(demo.rglob("*.md"))
    ]
    numbers = random.Random(11)
    same = more = both = other = wrong = 0
    for _ in range(count):
        base = numbers.choice(pages)
        three = [base, *(edited(base, numbers, numbers.randint(1, 5)) for _ in range(2))]
        texts = ["".join(lines) for lines in three]
        git.put(*texts)
        is_clean, made = git.merge()
        own = merge_texts(*texts)
        if not is_clean:
            more += own.is_clean
            both += not own.is_clean
        elif not own.is_clean:
            wrong += 1
        elif own.text_of() == made:
            same += 1
        else:
            other += 1
    print(
        f"{count} merges of {len(pages)} demo pages: git merged {same + other + wrong}; here {same}"
        f" of them are the same, {other} another text and {wrong} conflicts. Of the {more + both}"
        f" others, {more} merge here by words or line ends, and {both} are conflicts of both."
    )
    return wrong == 0


def main() -> int:
    """Measure, or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", type=int, metavar="COUNT")
    options = parser.parse_args()
    version = subprocess.run(["git", "--version"], capture_output=True, check=True, text=True)
    print(f"{stage.machine()}; {version.stdout.strip()}")
    with tempfile.TemporaryDirectory() as folder:
        git = Git(folder)
        if options.check is not None:
            return 0 if check(git, options.check) else 1
        measure(git)
    return 0


if __name__ == "__main__":
    sys.exit(main())
