"""Chat for a long time: python benchmarks/soak_chat.py [--minutes 30] [--people 200] [--rate 8]

People ask at an even rate while every ten seconds a share of them loses the connection and comes
back. Memory, threads and descriptors of each process, connections of Postgres, keys of Valkey and
its memory are sampled; after the warm-up (a fifth of the time) a line is put through each by least
squares. What grows by more than GROWTH of its mean an hour, and by more than noise, is said.
"""

import argparse
import math
import os
import statistics
import time
from pathlib import Path
from typing import Any

import chat_stage
import stage

CHURN_EVERY = 10.0
WARM_UP = 0.2
GROWTH = 0.05  # an hour
SURE = 3.0  # standard errors

Sample = dict[str, float]


def main() -> None:
    """Load, sample, and print the slopes."""
    options = _options()
    machine = stage.machine()
    site, crowd = chat_stage.start(options.people)
    rest = site.people[8:]
    crowd.do(do="open", url=site.url, origin=site.origin, clients=rest, a_second=50)
    print(f"\n{machine}\n{options.people} people, {options.rate:g} questions a second,", end=" ")
    print(f"{options.share:.0%} reconnect every {CHURN_EVERY:g} s, {options.minutes:g} minutes.")
    times: list[float] = []
    samples: list[Sample] = []
    totals: dict[str, Any] = {"asked": 0, "gaps": 0, "faults": {}}
    began = time.monotonic()
    while time.monotonic() - began < options.minutes * 60:
        crowd.do(do="churn", share=options.share)
        _add(totals, crowd.do(do="load", rate=options.rate, seconds=CHURN_EVERY, spare_lost=True))
        times.append(time.monotonic() - began)
        samples.append(_sample(site))
    crowd.do(do="close")
    print(f"\nAsked {totals['asked']}, without a whole answer {totals['faults'] or 0},", end=" ")
    print(f"gaps {totals['gaps']}.", flush=True)
    _tell(times, samples)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("minutes", 30.0), ("people", 200), ("rate", 8.0), ("share", 0.1)):
        value = os.environ.get(f"SOAK_{name.upper()}", str(default))
        parser.add_argument(f"--{name}", type=type(default), default=type(default)(value))
    return parser.parse_args()


def _add(totals: dict[str, Any], result: dict[str, Any]) -> None:
    totals["asked"] += result["asked"]
    totals["gaps"] += result["gaps"]
    for name, count in result["faults"].items():
        totals["faults"][name] = totals["faults"].get(name, 0) + count


def _sample(site: chat_stage.Site) -> Sample:
    """Return what each process holds now, and what the servers hold for them."""
    found: Sample = {}
    for kind, running in (("web", site.web), ("agent", site.agents)):
        for number, process in enumerate(running, 1):
            folder = Path(f"/proc/{process.pid}")
            status = dict(
                line.split(":", 1) for line in (folder / "status").read_text().splitlines()
            )
            name = f"{kind} {number}"
            found[f"{name}: memory, MB"] = int(status["VmRSS"].split()[0]) / 1024
            found[f"{name}: threads"] = int(status["Threads"])
            found[f"{name}: descriptors"] = len(list((folder / "fd").iterdir()))
    return found | _servers()


def _servers() -> Sample:
    from django.db import connection

    from project.aio import sync_redis

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        (backends,) = cursor.fetchone()
    client = sync_redis()
    keys: dict[str, int] = {}
    for key in client.scan_iter(count=1000):
        kind = str(key).split(":")[0]
        keys[kind] = keys.get(kind, 0) + 1
    info: Any = client.info()
    return {
        "Postgres: connections": float(backends),
        "Valkey: clients": float(info["connected_clients"]),
        "Valkey: memory, MB": info["used_memory"] / 2**20,
        **{f"Valkey: keys {kind}": float(count) for kind, count in keys.items()},
    }


def _tell(times: list[float], samples: list[Sample]) -> None:
    warm = int(len(times) * WARM_UP)
    hours = [each / 3600 for each in times[warm:]]
    rows, growing = [], []
    for name in sorted({name for sample in samples for name in sample}):
        values = [sample.get(name, 0.0) for sample in samples[warm:]]
        slope, error = _slope(hours, values)
        mean = statistics.fmean(values)
        is_growing = slope > GROWTH * mean and slope > SURE * error
        growing += [name] if is_growing else []
        numbers = (values[0], values[-1], max(values), slope, error)
        rows.append([name, *(f"{each:.1f}" for each in numbers), "grows" if is_growing else ""])
    header = ["after the warm-up", "first", "last", "most", "slope an hour", "± error", ""]
    stage.table("What is held", header, rows)
    print(f"\n{'Grows: ' + ', '.join(growing) if growing else 'Nothing grows.'}")


def _slope(at: list[float], values: list[float]) -> tuple[float, float]:
    """Return the slope of the line of least squares and its standard error."""
    if len(at) < 3:
        return 0.0, math.inf
    line = statistics.linear_regression(at, values)
    rest = [y - line.intercept - line.slope * x for x, y in zip(at, values, strict=True)]
    spread = sum((x - statistics.fmean(at)) ** 2 for x in at)
    return line.slope, math.sqrt(sum(each**2 for each in rest) / (len(at) - 2) / spread)


if __name__ == "__main__":
    main()
