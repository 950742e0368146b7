"""Folders that the servers' account can enter."""

import os
import tempfile
from pathlib import Path


def reachable_folder() -> Path:
    """A new folder, also reachable by others when TMPDIR is below /root.

    Not pytest's own temporary folder: every pytest of this user closes that one to other users.
    """
    parent = "/tmp" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="acervo-tests-", dir=parent))
    folder.chmod(0o755)
    return folder
