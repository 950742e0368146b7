"""A real PDF of many pages by REST, and a question about a sentence on its last page."""

import io
import sys
import time
from typing import Any

import httpx

from benchmarks.drills.acts import Row, Verdict, ask, job_ended, turn_ended
from benchmarks.drills.stage import Installation
from benchmarks.stage import Writer

PAGES = 34
KEEPERS = (
    ("Quillmere", "The lighthouse keeper of Quillmere feeds forty-one turquoise pelicans daily."),
    (
        "Ostravane",
        "In Ostravane the ferry bell rings nineteen times before the copper gate opens.",
    ),
    ("Brindlecombe", "Brindlecombe pays its beekeepers in walnut butter every second Thursday."),
)


def main() -> int:
    """Run the drill."""
    verdict = Verdict(f"PDF files of {PAGES} pages")
    with Installation(ACERVO_EMBEDDING="auto") as acervo, acervo.client(seconds=60) as http:
        jobs = [_sent(http, verdict, name, text) for name, text in KEEPERS]
        for job, (name, text) in zip(jobs, KEEPERS, strict=True):
            _check_job(http, verdict, job, name)
            _check_search(http, verdict, name, text)
            _check_answer(http, verdict, name, text)
        again = _upload(http, KEEPERS[0][0], _pdf(*KEEPERS[0]))
        verdict.check("the same file again is told as such", "duplicate_of" in again.json())
    return verdict.finish()


def _pdf(name: str, sentence: str) -> bytes:
    """Return a PDF with running heads, page numbers, prose on every page, and the sentence."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

    writer = Writer(seed=len(name))
    styles = getSampleStyleSheet()
    story: list[Any] = []
    for page in range(1, PAGES + 1):
        story.append(Paragraph(f"Chapter {page}: {writer.text(3)}", styles["Heading1"]))
        for _ in range(3):
            story += [Paragraph(writer.text(70), styles["BodyText"]), Spacer(1, 8)]
        if page == PAGES:
            closing = f"{writer.text(12)} {sentence} {writer.text(12)}"
            story.append(Paragraph(closing, styles["BodyText"]))
        else:
            story.append(PageBreak())

    def furniture(canvas: Any, document: Any) -> None:
        canvas.drawString(60, 810, f"Handbook of {name}")
        canvas.drawString(280, 20, f"Page {document.page} of {PAGES}")

    out = io.BytesIO()
    document = SimpleDocTemplate(out, pagesize=A4, invariant=1)
    document.build(story, onFirstPage=furniture, onLaterPages=furniture)
    return out.getvalue()


def _upload(http: httpx.Client, name: str, content: bytes) -> httpx.Response:
    files = {"file": (f"Handbook of {name}.pdf", content, "application/pdf")}
    return http.post("/api/v1/uploads/", files=files, data={"tags": "handbook"})


def _sent(http: httpx.Client, verdict: Verdict, name: str, sentence: str) -> Row:
    content = _pdf(name, sentence)
    began = time.monotonic()
    answer = _upload(http, name, content)
    took = time.monotonic() - began
    seen = f"{answer.status_code}, {took:.2f} s, {len(content) // 1024} kB"
    verdict.check(f"{name}: 202 within 2 s", answer.status_code == 202 and took < 2, seen)
    return dict(answer.json())


def _check_job(http: httpx.Client, verdict: Verdict, sent: Row, name: str) -> None:
    job = job_ended(http, sent["job"]["id"], seconds=300)
    seen = f"{job['status']} {job['error'] or ''} {job['timings']}"
    verdict.check(f"{name}: the job completes", job["status"] == "completed", seen)
    verdict.check(f"{name}: progress is whole", job["progress"] == 1, job["progress"])


def _passage(http: httpx.Client, row: Row) -> str:
    """Return what a citation or result points at, from that version of the node."""
    version = http.get(f"/api/v1/nodes/{row['node']}/versions/{row['version']}/").json()
    return str(version["content"][row["start"] : row["end"]])


def _check_search(http: httpx.Client, verdict: Verdict, name: str, sentence: str) -> None:
    body = {"query": sentence.rstrip(".")}
    best = http.post("/api/v1/search/", json=body).json()["results"][0]
    passage = " ".join(_passage(http, best).split())
    verdict.check(f"{name}: search finds the passage", sentence in passage, passage)
    verdict.check(f"{name}: search knows the page", best["page"] == PAGES, best["page"])


def _check_answer(http: httpx.Client, verdict: Verdict, name: str, sentence: str) -> None:
    question = {
        "Quillmere": "How many pelicans does the lighthouse keeper of Quillmere feed?",
        "Ostravane": "How often does the ferry bell ring in Ostravane?",
        "Brindlecombe": "What does Brindlecombe pay its beekeepers in?",
    }[name]
    turn = turn_ended(http, ask(http, question)["turn"]["id"], seconds=120)
    verdict.check(f"{name}: the answer says it", sentence in (turn["answer"] or ""), turn["answer"])
    cited = [each for each in turn["citations"] if sentence in _flat(http, each)]
    seen = [(each["title"], each["page"]) for each in turn["citations"]]
    verdict.check(f"{name}: a citation spans the sentence", cited, seen)
    pages = {each["page"] for each in cited}
    verdict.check(f"{name}: the citation knows the page", pages == {PAGES}, pages)
    marked = bool(cited) and f"[{cited[0]['index']}]" in turn["answer"]
    verdict.check(f"{name}: the answer carries its number", marked, turn["answer"])


def _flat(http: httpx.Client, row: Row) -> str:
    return " ".join(_passage(http, row).split())


if __name__ == "__main__":
    sys.exit(main())
