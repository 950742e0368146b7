"""Answers of language models that are given again, to the same question or to one that means it.

Direction: `guards`, `matching` (pure) <- `keys` <- `lookup`, `keeping`.
"""
