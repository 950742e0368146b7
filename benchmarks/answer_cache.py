"""How often a kept answer is given, and how often wrongly.

Usage: python benchmarks/answer_cache.py FOLDER

FOLDER (or ACERVO_BENCH_DATA) holds `banking77/train.csv` and `test.csv` (text, category) of
PolyAI-LDN/task-specific-datasets. The questions of the first are those that were answered, each
category being one answer; those of the second arrive. A hit is right when both have one category.
*cosine alone* gives the nearest above a threshold; *with guards* leaves out what numbers, dates,
names, negation, opposites or the type of question keep apart; *as Acervo does* asks besides that
the answers about as near agree. No search takes part, as there are no passages.
"""

import csv
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stage

THRESHOLDS = (0.85, 0.88, 0.90, 0.92)
NEAREST = 20
BATCH = 250


def main() -> None:
    """Measure and print."""
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ACERVO_BENCH_DATA")
    if named is None:
        sys.exit("Name the folder with banking77, or set ACERVO_BENCH_DATA.")
    folder = Path(named)
    folder = folder if (folder / "train.csv").exists() else folder / "banking77"
    if not (folder / "train.csv").exists():
        sys.exit(f"There is no train.csv in {folder}.")
    stage.begin()
    machine = stage.machine()
    kept, arriving = read(folder / "train.csv"), read(folder / "test.csv")
    nearest = nearest_of(kept, arriving)
    rows = [
        [name, f"{threshold:.2f}", *shares(way(threshold), nearest, kept, arriving)]
        for name, way in ways(kept, arriving).items()
        for threshold in THRESHOLDS
    ]
    stage.table(
        f"{len(kept):,} questions kept, {len(arriving):,} arriving; {machine}",
        ["", "threshold", "given", "wrong among them"],
        rows,
    )


def read(path: Path) -> list[tuple[str, str]]:
    """Return texts with their categories."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def nearest_of(
    kept: list[tuple[str, str]], arriving: list[tuple[str, str]]
) -> list[list[tuple[int, float]]]:
    """Return the nearest kept questions of each arriving one, with their cosines."""
    import numpy as np

    from project.inference.embeddings import default_model, embed_texts

    def vectors(rows: list[tuple[str, str]]) -> Any:
        model = default_model()
        texts = [text for text, _category in rows]
        found = []
        for start in range(0, len(texts), BATCH):
            found.append(embed_texts(model, texts[start : start + BATCH], purpose="document"))
            done = start + len(found[-1])
            print(f"\r{done:,} of {len(texts):,} embedded", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return np.concatenate(found)

    there = vectors(kept)
    found = []
    for row in vectors(arriving) @ there.T:
        best = np.argsort(-row)[:NEAREST]
        found.append([(int(place), float(row[place])) for place in best])
    return found


Way = Callable[[int, list[tuple[int, float]]], int | None]
"""Takes an arriving question and its nearest; returns the kept one whose answer is given."""


def ways(
    kept: list[tuple[str, str]], arriving: list[tuple[str, str]]
) -> dict[str, Callable[[float], Way]]:
    """Return the ways to choose, each for a threshold."""
    import functools
    import uuid

    from chat.answer_cache.guards import difference, sense_of
    from chat.answer_cache.matching import Kept, chosen_of

    sense = functools.cache(sense_of)
    answers = {category: uuid.uuid5(uuid.NAMESPACE_URL, category) for _text, category in kept}
    ids = {uuid.UUID(int=number): number for number in range(len(kept))}
    names = list(ids)

    def alone(threshold: float) -> Way:
        return lambda _place, near: near[0][0] if near[0][1] >= threshold else None

    def guarded(threshold: float) -> Way:
        def choose(place: int, near: list[tuple[int, float]]) -> int | None:
            asked = sense(arriving[place][0])
            for number, likeness in near:
                if likeness < threshold:
                    break
                if not difference(asked, sense(kept[number][0])):
                    return number
            return None

        return choose

    def whole(threshold: float) -> Way:
        def choose(place: int, near: list[tuple[int, float]]) -> int | None:
            rows = [
                Kept(names[number], kept[number][0], likeness, (answers[kept[number][1]],))
                for number, likeness in near
            ]
            found = [row.cited[0] for row in rows]
            choice = chosen_of(arriving[place][0], rows, found, threshold=threshold)
            return ids[choice.chosen.answer] if choice.chosen is not None else None

        return choose

    return {"cosine alone": alone, "with guards": guarded, "as Acervo does": whole}


def shares(
    way: Way,
    nearest: list[list[tuple[int, float]]],
    kept: list[tuple[str, str]],
    arriving: list[tuple[str, str]],
) -> list[str]:
    """Return the share of questions that are given a kept answer, and of wrong ones among them."""
    given = wrong = 0
    for place, near in enumerate(nearest):
        number = way(place, near)
        if number is not None:
            given += 1
            wrong += kept[number][1] != arriving[place][1]
    return [f"{given / len(nearest):.1%}", f"{wrong / max(given, 1):.2%}"]


if __name__ == "__main__":
    main()
