"""Run every drill, one after the other; fails when one did."""

import subprocess
import sys

DRILLS = (
    "same_send",
    "streams",
    "flush",
    "models",
    "upload",
    "many_uploads",
    "strangers",
    "bad_input",
    "histories",
    "searching",
    "two_of_everything",
    "kills",
)


def main() -> int:
    """Run the drills named on the command line, or all of them."""
    broken = []
    for name in sys.argv[1:] or DRILLS:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", f"benchmarks.drills.{name}"]
        if subprocess.run(command, check=False).returncode != 0:
            broken.append(name)
    sys.stdout.write(f"\nBroken: {', '.join(broken)}\n" if broken else "\nAll drills held.\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
