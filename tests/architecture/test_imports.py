"""The direction of imports, and what a start may cost."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HEAVY = (
    "onnxruntime",
    "onnx",
    "tokenizers",
    "openai",
    "markitdown",
    "pypdf",
    "py3langid",
    "openpyxl",
    "numpy",
    "safetensors",
)


def test_imports_point_one_way() -> None:
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_start_imports_no_model_or_document_library() -> None:
    code = (
        "import sys, django; django.setup(); "
        "import project.celery, project.urls, project.asgi; "
        "from project.inference import embeddings, extractive, language_models, minilm, services; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip().splitlines()[-1] == "[]"
