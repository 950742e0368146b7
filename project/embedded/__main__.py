"""The keeper process."""

import json
import sys

from project.embedded.keeper import Keeper, Options

if __name__ == "__main__":
    sys.exit(Keeper(Options(**json.loads(sys.argv[1]))).run())
