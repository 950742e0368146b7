"""What the process of its own costs: a PDF read in it, beside the same PDF read here.

Usage: python benchmarks/parsing_speed.py [--pages 200] [--rounds 3] [--small 50] [--ocr PAGES]

1. A PDF of --pages pages of text, page by page: in this process, and apart (with the pages streamed
   back, as a job reads them). The ratio is what matters on a busy machine.
2. --small Markdown files of a few lines, each in a process of its own, and by starting a Python
   with the libraries for each instead: the price of a file.
3. The most memory of the process that read the PDF, and of the server that forks.
4. With --ocr, that many scanned pages through tesseract, if it is installed.

Nothing is stored; no server and no database is needed.
"""

import argparse
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
os.environ.setdefault("ACERVO_SECRET_KEY", "only for this benchmark, which signs nothing")

from knowledge.parsing import Ocr, _forking, parse_pages
from knowledge.parsing.apart import Apart

SENTENCES = (
    "Every member of the cooperative is entitled to thirty days of rest each year. ",
    "The request reaches the office before the end of the previous month. ",
    "Boats above nine metres are moored at the outer pier, in order of arrival. ",
)


def pdf_of(pages: int, *, scanned: bool = False) -> bytes:
    """Return a PDF with about 40 lines of text a page, or with a picture of a few lines."""
    from PIL import Image, ImageDraw, ImageFont
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842))
    font = ImageFont.load_default(size=44)
    for page in range(pages):
        lines = [(SENTENCES[line % 3] + f"Line {line} of page {page}.")[:95] for line in range(40)]
        if scanned:
            picture = Image.new("L", (2480, 3508), "white")
            draw = ImageDraw.Draw(picture)
            for number, line in enumerate(lines):
                draw.text((150, 200 + 75 * number), line, font=font, fill="black")
            canvas.drawImage(ImageReader(picture), 0, 0, 595, 842)
        else:
            canvas.setFont("Helvetica", 10)
            for number, line in enumerate(lines):
                canvas.drawString(60, 780 - 18 * number, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest of some runs."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def status_of(pid: int, name: str) -> int:
    """Return a number of kilobytes from a process's status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def pdf_rows(folder: Path, pages: int, rounds: int) -> list[tuple[str, str]]:
    """Measure a long PDF."""
    path = folder / "long.pdf"
    path.write_bytes(pdf_of(pages))

    def here() -> None:
        count = sum(1 for _ in parse_pages(path, filename="long.pdf"))
        assert count == pages

    def there() -> None:
        with Apart(path, filename="long.pdf") as reading:
            count = sum(1 for _ in reading.pages())
        assert count == pages

    there()  # starts the server, and loads pypdf there
    here()
    pairs = [(seconds(here, 1), seconds(there, 1)) for _ in range(rounds)]
    ratio = statistics.median(apart / own for own, apart in pairs)
    own, apart = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    return [
        (f"PDF of {pages} pages, in this process", f"{own * 1000 / pages:.2f} ms a page"),
        ("the same, apart, pages streamed back", f"{apart * 1000 / pages:.2f} ms a page"),
        ("ratio (median of paired runs)", f"{ratio:.2f}"),
    ]


def small_rows(folder: Path, count: int) -> list[tuple[str, str]]:
    """Measure the price of a file."""
    path = folder / "small.md"
    path.write_text("# Moorings\n\nBoats above nine metres are moored at the outer pier.\n")

    def apart() -> None:
        for _ in range(count):
            with Apart(path, filename="small.md") as reading:
                list(reading.pages())

    base = str(Path(__file__).resolve().parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {base!r}); from knowledge.parsing import parse_pages; "
        f"import pypdf; list(parse_pages(open({str(path)!r}, 'rb').read(), filename='small.md'))"
    )

    def spawned() -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    return [
        ("small file, forked process", f"{seconds(apart, 2) * 1000 / count:.1f} ms a file"),
        ("small file, a new Python with pypdf", f"{seconds(spawned, 3) * 1000:.0f} ms a file"),
    ]


def memory_rows(folder: Path) -> list[tuple[str, str]]:
    """Measure memory: of the server, and the most that a forked process had."""
    server = _forking._servers[0].pid
    path = folder / "long.pdf"
    most = 0
    with Apart(path, filename="long.pdf") as reading:
        for number, _page in enumerate(reading.pages()):
            if number % 20 == 0:
                children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
                most = max([most, *(status_of(int(each), "VmHWM") for each in children)])
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [
        ("memory of the forking server", f"{status_of(server, 'VmRSS') / 1024:.0f} MB"),
        ("most memory of the process that read the PDF", f"{most / 1024:.0f} MB"),
        ("most memory of this process, which read it too", f"{own / 1024:.0f} MB"),
    ]


def ocr_rows(folder: Path, pages: int) -> list[tuple[str, str]]:
    """Measure scanned pages."""
    import shutil

    program = shutil.which("tesseract")
    if program is None:
        return [("scanned pages", "tesseract is not installed")]
    path = folder / "scan.pdf"
    path.write_bytes(pdf_of(pages, scanned=True))

    def read() -> None:
        with Apart(path, filename="scan.pdf", ocr=Ocr(program, ("eng",))) as reading:
            assert sum(bool(page.lines) for page in reading.pages()) == pages

    return [(f"{pages} scanned pages of A4 at 300 dpi", f"{seconds(read, 1) / pages:.2f} s a page")]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", type=int, default=50)
    parser.add_argument("--ocr", type=int, default=0, metavar="PAGES")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = pdf_rows(folder, options.pages, options.rounds)
        rows += small_rows(folder, options.small)
        rows += memory_rows(folder)
        if options.ocr:
            rows += ocr_rows(folder, options.ocr)
    width = max(len(what) for what, _figure in rows)
    for what, figure in rows:
        print(f"{what:<{width}}  {figure:>18}")


if __name__ == "__main__":
    main()
