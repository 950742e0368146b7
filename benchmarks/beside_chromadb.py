"""Chromadb's part of `beside_others`: python benchmarks/beside_chromadb.py VECTORS ANSWERS.

VECTORS (npz) has `ids`, `documents`, `queries`; ANSWERS is written: version, the ids found for each
query and its seconds. Run by the Python that has chromadb; nothing of Acervo is imported.
"""

import json
import sys
import time
from pathlib import Path

import chromadb
import numpy as np

LIMIT = 10


def main() -> None:
    """Index, ask, write."""
    with np.load(sys.argv[1]) as stored:
        ids, documents, queries = stored["ids"].tolist(), stored["documents"], stored["queries"]
    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.EphemeralClient(settings=settings)
    collection = client.create_collection("set", metadata={"hnsw:space": "ip"})
    for at in range(0, len(ids), 1000):
        collection.add(ids=ids[at : at + 1000], embeddings=documents[at : at + 1000])
    found, seconds = [], []
    for query in queries:
        started = time.perf_counter()
        answer = collection.query(query_embeddings=[query], n_results=LIMIT)
        seconds.append(time.perf_counter() - started)
        found.append(answer["ids"][0])
    version = chromadb.__version__
    answers = {"version": version, "found": found, "seconds": seconds}
    Path(sys.argv[2]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
