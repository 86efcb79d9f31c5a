"""Synthetic sums in several steps, for small character models."""

from dataclasses import dataclass

import numpy as np

from .steps import StepDropper

CHARACTERS = "0123456789+-*=;#"
"""Digits, operations, and the marks that end a step and begin the answer."""
FIRST_ID = 2
"""Token ID of the first character, after bos and eos."""
VOCAB_SIZE = FIRST_ID + len(CHARACTERS)


@dataclass(frozen=True)
class Problem:
    """A chain of operations on digits, and its result, all modulo ten.

    Args:
        question: Such as `3+9*2-4`, taken from left to right.
        steps: Such as `3+9=2`, `2*2=4`, `4-4=0`.
        answer: Such as `0`.
    """

    question: str
    steps: tuple[str, ...]
    answer: str

    def solution(self, dropper: StepDropper, rng: np.random.Generator) -> str:
        """The remaining steps and the answer, `3+9=2;2*2=4;#0`."""
        *kept, answer = dropper(self.steps, self.answer, rng)
        return "".join(f"{step};" for step in kept) + f"#{answer}"


def n_problems(n_steps: int) -> int:
    """Number of different problems with this many operations."""
    return 10 * 30**n_steps


def random_problem(n_steps: int, rng: np.random.Generator) -> Problem:
    """A problem with this many operations."""
    digits = rng.integers(0, 10, n_steps + 1).tolist()
    signs = ["+-*"[i] for i in rng.integers(0, 3, n_steps).tolist()]
    value, steps = digits[0], []
    for sign, digit in zip(signs, digits[1:], strict=True):
        result = {"+": value + digit, "-": value - digit, "*": value * digit}[sign] % 10
        steps.append(f"{value}{sign}{digit}={result}")
        value = result
    question = str(digits[0]) + "".join(f"{sign}{digit}" for sign, digit in zip(signs, digits[1:], strict=True))
    return Problem(question, tuple(steps), str(value))


def encode(text: str) -> list[int]:
    """Token IDs of the characters."""
    return [FIRST_ID + CHARACTERS.index(character) for character in text]


def decode(ids: list[int]) -> str:
    """The characters of token IDs; bos and eos have none."""
    return "".join(CHARACTERS[index - FIRST_ID] for index in ids if index >= FIRST_ID)


def answer_of(solution: str) -> str:
    """What follows the last `#`; empty if there is none."""
    return solution.rpartition("#")[2] if "#" in solution else ""
