"""How much memory the database may use, after that of the machine or the container."""

import os
from pathlib import Path

MEGABYTE = 1024**2
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_FALLBACK = 2048 * MEGABYTE  # where the system does not tell


def memory_of_machine() -> int:
    """Return the bytes of memory that processes here may use together."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = _FALLBACK
    for path in _CGROUP_LIMITS:
        try:
            memory = min(memory, int(path.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return memory


def memory_settings(memory: int) -> dict[str, str]:
    """Return PostgreSQL's settings for a machine with that many bytes, which it has not alone.

    An eighth for its pages, which are taken as they are used; a sixteenth for building an index: an
    HNSW graph that does not fit is built many times slower. A million passages of 384 numbers need
    1.2 GB for that, and are searched best with 4 GB for pages and the file cache.
    """

    def share(of: int, least: int, most: int) -> int:
        return max(least, min(most, memory // of // MEGABYTE))

    return {
        "shared_buffers": f"{share(8, 128, 8192)}MB",
        "effective_cache_size": f"{share(2, 512, 65536)}MB",
        "maintenance_work_mem": f"{share(16, 64, 2048)}MB",
        "autovacuum_work_mem": "64MB",
        "work_mem": f"{share(1024, 4, 64)}MB",
    }
