"""A web process of Acervo for `search_scale`: python benchmarks/scale_web.py PORT VECTORS.

The texts of the benchmark mean nothing, so the model's vectors of its questions lie nowhere near
those of its passages. Every question is embedded by the model all the same, which takes its time;
then the vector that VECTORS has for it takes the place of the model's.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def stand_in(path: str) -> None:
    """Have the built-in model return the vectors of a file for the questions in it."""
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        _answer_with(dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True)))


def known_questions(questions) -> None:
    """Do the same with questions at hand."""
    _answer_with({question.text: question.vector for question in questions})


def _answer_with(known) -> None:
    import numpy as np

    from project.inference import minilm

    embed = minilm.encode

    def encode(texts):
        vectors = embed(texts)
        return np.stack([known.get(text, row) for text, row in zip(texts, vectors, strict=True)])

    minilm.encode = encode


def main() -> None:
    """Serve until killed."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    import django
    import uvicorn

    django.setup()
    stand_in(sys.argv[2])
    from project.inference.embeddings import warm_up

    warm_up()
    uvicorn.run(
        "project.asgi:application", port=int(sys.argv[1]), log_level="warning", lifespan="off"
    )


if __name__ == "__main__":
    main()
