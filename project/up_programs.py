"""What `up` runs: the command, environment and way of stopping of each process."""

import os
import shutil
import signal
import sys
from pathlib import Path

from project.embedded import CHECKOUT
from project.embedded.folders import folder_error
from project.env import env_int
from project.supervisor import Program, StopSteps

_MANAGE = [sys.executable, str(CHECKOUT / "manage.py")]
_CELERY = [
    sys.executable,
    "-m",
    "celery",
    "--quiet",
    "--app",
    "project",
    "--workdir",
    str(CHECKOUT),
]

# Celery's first stop waits for running tasks, its second gives them back to the queue.
_WORKER_STOP: StopSteps = (
    (0.0, signal.SIGTERM),
    (6.0, signal.SIGQUIT),
    (13.0, signal.SIGKILL),
)


def shared_environment(data: Path) -> dict[str, str]:
    """What all processes get; the numeric libraries' threads would fight over the same cores."""
    metrics = data / "run" / "prometheus"
    try:
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_error(metrics, error) from error
    defaults = {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "MALLOC_ARENA_MAX": "4",
        # The system checks would load every page in processes that serve none.
        "CELERY_SKIP_CHECKS": "1",
        # Celery's sermon about root: as root, Acervo says itself which processes it runs as whom.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }
    return {
        **{name: value for name, value in defaults.items() if name not in os.environ},
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": _with_checkout(os.environ.get("PYTHONPATH", "")),
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }


def _with_checkout(path: str) -> str:
    """The children import `project` whatever folder `up` was started in."""
    return f"{CHECKOUT}{os.pathsep}{path}" if path else str(CHECKOUT)


def preparation(message_fd: int) -> Program:
    """Migrations and first contents; what a person must be told goes to `message_fd`."""
    command = [*_MANAGE, "prepare", "--message-fd", str(message_fd)]
    return Program("prepare", command, pass_fds=(message_fd,))


def children(web_socket: int) -> list[Program]:
    """Everything that serves. Web processes share one listening socket."""
    web = [sys.executable, "-m", "project.web", "--fd", str(web_socket)]
    # Each is one thread's worth of Python: a second one answers faster when many ask at once.
    count = env_int("ACERVO_WEB_PROCESSES", min(2, os.cpu_count() or 1), minimum=1)
    agents = env_int("ACERVO_AGENT_PROCESSES", min(2, os.cpu_count() or 1), minimum=1)
    concurrency = env_int("ACERVO_WORKER_CONCURRENCY", min(2, os.cpu_count() or 1), minimum=1)
    worker = [
        *_CELERY,
        "worker",
        *(
            "--queues",
            "ingest,embed,memory,webhooks,maintenance",
            "--concurrency",
            str(concurrency),
        ),
        *("--hostname", f"acervo-{os.getpid()}@%h", "--without-gossip", "--without-mingle"),
        *("--loglevel", "INFO"),
    ]
    return [
        *(Program(name, web, pass_fds=(web_socket,)) for name in _names("web", count)),
        *(Program(name, [*_MANAGE, "agent"]) for name in _names("agent", agents)),
        Program("worker", worker, stop_steps=_WORKER_STOP),
        Program(
            "beat", [*_MANAGE, "beat"], stop_steps=((0.0, signal.SIGTERM), (4.0, signal.SIGKILL))
        ),
    ]


def _names(kind: str, count: int) -> list[str]:
    return [kind] if count == 1 else [f"{kind}-{number}" for number in range(1, count + 1)]
