"""Run the benchmarks one after the other: python -m benchmarks [NAME ...].

Without names: search_speed, ingest_speed, chat_latency, and retrieval_quality where
ACERVO_BENCH_DATA says where its test sets are. Each has servers of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
USUAL = ("search_speed", "ingest_speed", "chat_latency")


def main() -> int:
    """Run what was asked for; return 1 if any of it failed."""
    names = sys.argv[1:] or [
        *USUAL,
        *(["retrieval_quality"] if os.environ.get("ACERVO_BENCH_DATA") else []),
    ]
    known = {path.stem for path in FOLDER.glob("*.py")} - {
        "__init__",
        "__main__",
        "stage",
        "asking",
        "processes",
        "scale_web",
        "beside_chromadb",
        "chat_stage",
        "chat_clients",
        "stub_model",
        "synthetic",
    }
    if unknown := [name for name in names if name not in known]:
        print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
        return 1
    failed = False
    for name in names:
        print(f"\n== {name}", flush=True)
        result = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False)
        failed = failed or result.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
