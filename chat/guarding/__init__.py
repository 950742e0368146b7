"""Rules about what people send: words that a space does not want, and signs of spam.

Pure. Signs that a text gives orders to a model are in `project.guarding`: knowledge uses them, too.
"""

from chat.guarding.spam import spam_signs
from chat.guarding.words import Word, words_found

__all__ = ["Word", "spam_signs", "words_found"]
