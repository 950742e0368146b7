"""Chat under load: python benchmarks/load_chat.py [--people 1000] [--rate 33] [--seconds 60] ...

1. PEOPLE open a WebSocket each, with a cookie and an origin, as browsers do.
2. After a warm-up (a third of the rate for WARM-UP seconds, which nobody measures) RATE questions a
   second for SECONDS, at an even pace, whether answers come or not. The stub model takes 50 ms to
   its first token: "our part" is what is left of send → first token.
3. The rate rises by STEP until something breaks: our P95 over 1 s, P99 over 3 s, or 0.1 % errors.
4. Both web processes are killed and started again: how long until everybody is back.

Servers, stub and people share the machine; the processor time of each is told apart. An error is
any question without its whole answer, also one whose text is not that of the stored answer.
"""

import argparse
import os
import time
from typing import Any

import chat_stage
import processes
import stage
from stub_model import FIRST_TOKEN, TOKENS, TOKENS_A_SECOND

HEADER = ["step", "asked", "errors", "gaps", "P50", "P95", "P99", "first event P95", "accepted P95"]


def main() -> None:
    """Measure and print."""
    options = _options()
    machine = stage.machine()
    site, crowd = chat_stage.start(options.people)
    rest = site.people[8:]
    opened = crowd.do(
        do="open", url=site.url, origin=site.origin, clients=rest, a_second=options.open_rate
    )
    print(f"\n{machine}\n{len(TOKENS)} tokens an answer, {TOKENS_A_SECOND} a second, the first one")
    print(
        f"after {FIRST_TOKEN * 1000:.0f} ms; {chat_stage.WEB} web and {chat_stage.AGENTS} agents."
    )
    print(
        f"{options.people} sockets opened in {opened['seconds']:.1f} s,"
        f" {opened['refused']} attempts in vain.",
        flush=True,
    )
    warm = crowd.do(do="load", rate=options.rate / 3, seconds=options.warm_up)
    print(f"{warm['asked']} questions to warm up.", flush=True)
    rows, shares = [], []
    result = _step(site, crowd, options.rate, options.seconds, rows, shares)
    rate = options.rate
    while options.step and _holds(result) and rate + options.step <= options.most:
        rate += options.step
        result = _step(site, crowd, rate, options.step_seconds, rows, shares)
    stage.table("Our part of the first token, in milliseconds", HEADER, rows)
    names = sorted({name for _label, share in shares for name in share})
    table = [[label, *(f"{share.get(name, 0):.2f}" for name in names)] for label, share in shares]
    stage.table("Processors in use", ["step", *names], table)
    if options.step:
        print(f"\n{'Still holds' if _holds(result) else 'Breaks'} at {rate:g} questions a second.")
    if options.storm:
        _storm(site, crowd, options)
    print(f"\nCloses seen: {crowd.do(do='close')['codes']}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (
        ("people", 1000),
        ("rate", 33.0),
        ("seconds", 60.0),
        ("warm-up", 30.0),
        ("step", 10.0),
        ("step-seconds", 20.0),
        ("most", 200.0),
        ("open-rate", 100.0),
        ("patience", 120.0),
        ("storm", 1),
    ):
        value = os.environ.get(f"LOAD_{name.upper().replace('-', '_')}", str(default))
        parser.add_argument(f"--{name}", type=type(default), default=type(default)(value))
    return parser.parse_args()


def _step(
    site: chat_stage.Site,
    crowd: chat_stage.People,
    rate: float,
    seconds: float,
    rows: list[list[str]],
    shares: list[tuple[str, dict[str, float]]],
    label: str = "",
) -> dict[str, Any]:
    before = processes.processor_seconds(site.watched())
    result = crowd.do(do="load", rate=rate, seconds=seconds)
    label = label or f"{rate:g}/s for {seconds:g} s"
    shares.append((label, chat_stage.processor_shares(before, site, result["seconds"])))
    times = result["times"]
    ours = [each - FIRST_TOKEN * 1000 for each in times["first_token"]]
    result["ours"] = ours
    faults = result["faults"]
    rows.append(
        [
            label,
            str(result["asked"]),
            ", ".join(f"{count} {name}" for name, count in faults.items()) or "0",
            str(result["gaps"]),
            *(f"{stage.percentile(ours, cut):.0f}" if ours else "-" for cut in (0.5, 0.95, 0.99)),
            *(
                f"{stage.percentile(times[name], 0.95):.0f}" if times[name] else "-"
                for name in ("first_event", "accepted")
            ),
        ]
    )
    print(" | ".join(rows[-1]), flush=True)
    return result


def _holds(result: dict[str, Any]) -> bool:
    errors = sum(result["faults"].values()) + result["gaps"]
    ours = result["ours"]
    return (
        bool(ours)
        and errors <= 0.001 * result["asked"]
        and stage.percentile(ours, 0.95) < 1000
        and stage.percentile(ours, 0.99) < 3000
    )


def _storm(site: chat_stage.Site, crowd: chat_stage.People, options: argparse.Namespace) -> None:
    before = processes.processor_seconds(site.watched()) | {"web": 0.0}  # they begin anew
    crowd.begin(do="storm", patience=options.patience)
    began = time.monotonic()
    site.kill_web()
    site.start_web()
    result = crowd.result()
    seconds = time.monotonic() - began
    half = "-" if result["half"] is None else f"{result['half']:.1f} s"
    print(
        f"\nBoth web processes killed and started again: half of {options.people} back after"
        f" {half}, all after {result['seconds']:.1f} s ({result['missing']} missing;"
        f" {result['refused']} attempts in vain)."
    )
    shares = chat_stage.processor_shares(before, site, seconds)
    print("Processors: " + ", ".join(f"{name} {share:.2f}" for name, share in shares.items()))
    rows: list[list[str]] = []
    _step(site, crowd, options.rate, min(20.0, options.seconds), rows, [], "after the storm")
    stage.table("After the storm", HEADER, rows)


if __name__ == "__main__":
    main()
