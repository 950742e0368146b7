"""The process that forks one for each file to parse: it has the libraries ready, and no secrets.

Started by ``knowledge.parsing.apart`` as ``python -I -c …`` with one end of a socket pair. Over
that come orders, each with three file descriptors:

- the file to read,
- a connection to the worker for the results (``_frames``),
- a watch: when the worker closes it, or dies, the process that reads this file is killed with all
  that it started; when that ends by itself, its status goes out over it.

One thread, no Django, no numpy: a fork of it is cheap and safe.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys

from knowledge.parsing._frames import HINT
from knowledge.parsing._sandbox import program_folders
from knowledge.parsing._speech import speak

STATUS = struct.Struct("=iQ")  # exit status or minus the signal, most memory in kilobytes
MEMORY_EXIT = 77
_NEEDED = {
    "pdf": ("knowledge.parsing._pdf", "pypdf"),
    "docx": ("mammoth", "bs4", "lxml.etree", "markdownify"),
    "pptx": ("pptx",),
    "xlsx": ("openpyxl",),
    "html": ("bs4", "lxml.etree", "markdownify"),
    "htm": ("bs4", "lxml.etree", "markdownify"),
}


def serve(control: socket.socket) -> None:
    """Take orders until the worker closes its end or dies."""
    sys.modules["numpy"] = None  # type: ignore[assignment] # openpyxl would load it, and its threads
    importlib.import_module("knowledge.parsing.reading")
    program_folders()
    for language in ("pt-br", "en"):
        speak(language)  # reads the catalogue, once
    _warm_up()
    gc.freeze()  # what is here now stays: a fork's collector need not touch, and so copy, it
    _Server(control).run()


def _warm_up() -> None:
    """Do once, over a text of ours, what every fork would have to do first."""
    parsing = importlib.import_module("knowledge.parsing")
    assembling = importlib.import_module("knowledge.parsing._assemble")
    pages = list(parsing.parse_pages(b"---\na: b\n---\n# *Title*\n\nText.", filename="a.md"))
    limits = parsing.Limits()
    assembling.assemble_file(pages, filename="a.md", limits=limits, detect=lambda _text: "en")


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._watches: dict[int, socket.socket] = {}  # by process id
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._woken, self._waker = reader, writer
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(reader, selectors.EVENT_READ)

    def run(self) -> None:
        while True:
            for key, _mask in self._selector.select():
                if key.fileobj is self._control:
                    if not self._take_order():
                        self._end()
                elif key.fileobj is self._woken:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(4096)
                else:
                    self._kill(key.data)  # the worker let go
            self._bury()

    def _take_order(self) -> bool:
        hint, handles, _flags, _address = socket.recv_fds(self._control, HINT, 3)
        if not hint:
            return False
        for module in _NEEDED.get(hint.decode("ascii", "replace").strip(), ()):
            importlib.import_module(module)
        file, data, watch = handles
        pid = os.fork()
        if not pid:
            self._become_reader(file, data, watch)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # also done by the child: whoever comes first
        os.close(file)
        os.close(data)
        connection = socket.socket(fileno=watch)
        self._watches[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ, pid)
        return True

    def _become_reader(self, file: int, data: int, watch: int) -> None:
        """Read the file, and end: this is the forked process."""
        status = 1
        try:
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(watch)
            self._control.close()
            for connection in self._watches.values():
                connection.close()
            reading = importlib.import_module("knowledge.parsing.reading")
            status = reading.work(file, socket.socket(fileno=data))
        except MemoryError:
            status = MEMORY_EXIT
        except BaseException as fault:  # noqa: BLE001 - the process ends here, whatever happened
            sys.stderr.write(f"parsing: {type(fault).__name__}: {fault}\n")
        finally:
            os._exit(status)

    def _kill(self, pid: int) -> None:
        connection = self._watches.pop(pid)
        self._selector.unregister(connection)
        connection.close()
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                send(pid, signal.SIGKILL)

    def _bury(self) -> None:
        """Tell how processes ended. What they had started is killed before their id is free."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ended.si_pid, signal.SIGKILL)
            _pid, status, usage = os.wait4(ended.si_pid, 0)
            connection = self._watches.pop(ended.si_pid, None)
            if connection is not None:
                self._selector.unregister(connection)
                with contextlib.suppress(OSError):
                    connection.send(STATUS.pack(os.waitstatus_to_exitcode(status), usage.ru_maxrss))
                connection.close()

    def _end(self) -> None:
        for pid in list(self._watches):
            self._kill(pid)
        os._exit(0)
