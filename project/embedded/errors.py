"""What can go wrong with the embedded servers, said so that a person can act on it."""


class EmbeddedError(Exception):
    """A fault with its remedy: `problem` says what is wrong, `advice` what to do about it."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}\n  What to do: {advice}")
        self.problem = problem
        self.advice = advice
