"""A small language model that learns sums step by step, with all steps or with some dropped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from . import arithmetic
from .arithmetic import Problem
from .configs import EncoderDecoderConfig, TrainConfig
from .examples import Example, ExampleSource, pad
from .sampling import sample
from .steps import StepDropper
from .tokenizer import BOS, EOS
from .training import Trainer
from .transformer import EncoderDecoder, make_model

NETWORK = EncoderDecoderConfig(arithmetic.VOCAB_SIZE, dim=64, n_layers=2, n_heads=2)
TRAINING = TrainConfig(steps=400, batch_size=64, lr=3e-3, max_tokens=4096)


@dataclass(frozen=True)
class SumsTrial:
    """One character model: all that its numbers depend on.

    As in fine-tuning, training sees the same few problems many times. With 200 of them, a model trained on all steps is
    right less than half the time, so that a gain can be seen.
    """

    p: float = 0.0
    """Probability of each step to be dropped from the training text."""
    n_steps: int = 4
    n_train: int = 200
    n_test: int = 500
    network: EncoderDecoderConfig = NETWORK
    train: TrainConfig = TRAINING
    seed: int = 0

    def __post_init__(self) -> None:
        n = arithmetic.n_problems(self.n_steps)
        if self.n_train + self.n_test > n:
            raise ValueError(f"there are only {n:,} sums of {self.n_steps} steps, not {self.n_train + self.n_test:,}")


class Sums(ExampleSource):
    """Problems as examples; steps are dropped anew each time one is drawn."""

    def __init__(self, problems: Sequence[Problem], dropper: StepDropper) -> None:
        self.problems, self.dropper = problems, dropper

    def step(self, step: int, batch_size: int, seed: int) -> list[Example]:
        """Problems drawn at random."""
        rng = np.random.default_rng([seed, step])
        chosen = [self.problems[i] for i in rng.integers(0, len(self.problems), batch_size)]
        drop = np.random.default_rng([seed, step, 1])
        return [Example(_asked(one), _framed(one.solution(self.dropper, drop)), 0) for one in chosen]


def _asked(problem: Problem) -> list[int]:
    return _framed(problem.question)


def _framed(text: str) -> list[int]:
    return [BOS, *arithmetic.encode(text), EOS]


def make_problems(trial: SumsTrial) -> tuple[list[Problem], list[Problem]]:
    """Training problems, and others to test on."""
    rng = np.random.default_rng([trial.seed, 7])
    made: dict[str, Problem] = {}
    while len(made) < trial.n_train + trial.n_test:
        problem = arithmetic.random_problem(trial.n_steps, rng)
        made[problem.question] = problem
    every = list(made.values())
    return every[: trial.n_train], every[trial.n_train :]


def run_sums(trial: SumsTrial, device: str) -> dict[str, Any]:
    """Share of right answers and mean length of the solutions, decoded greedily."""
    train, test = make_problems(trial)
    model = make_model(trial.network, trial.seed).to(device)
    Trainer(model, Sums(train, StepDropper(trial.p)), replace(trial.train, seed=trial.seed)).fit()
    return score(model, test, max_len=8 * (trial.n_steps + 2))


def score(model: EncoderDecoder, problems: Sequence[Problem], *, max_len: int) -> dict[str, float]:
    """Share of right answers, and mean number of characters written."""
    device = next(model.parameters()).device
    prompt, mask = pad([_asked(one) for one in problems])
    written = sample(model, prompt.to(device), mask.to(device), prefix=[BOS], temperature=0, max_len=max_len)
    texts = [arithmetic.decode(ids[0]) for ids in written]
    right = [arithmetic.answer_of(text) == one.answer for text, one in zip(texts, problems, strict=True)]
    return {"accuracy": float(np.mean(right)), "length": float(torch.tensor([len(t) for t in texts]).float().mean())}
