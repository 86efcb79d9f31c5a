"""Refusing sizes that make no problem."""


def check(holds: bool, otherwise: str) -> None:
    """Refuse settings with a sentence.

    Raises:
        ValueError: if the condition does not hold.
    """
    if not holds:
        raise ValueError(otherwise)
