"""A trained model as a planner that thinks fast, slow, or decides by itself."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .astar import SearchTask
from .configs import MODES, Mode, SamplingConfig, check_sampling
from .examples import pad
from .maze import Cell
from .records import positions
from .sampling import sample
from .tokenizer import BOS, CLOSE, CREATE, EOS, PLAN, TaskTokenizer
from .transformer import EncoderDecoder


@dataclass(frozen=True)
class Response:
    """What a model wrote about a task.

    Args:
        tokens: All tokens, with the forced one, without bos and eos.
        is_ended: Whether the model wrote eos.
    """

    tokens: tuple[str, ...]
    is_ended: bool

    @property
    def trace(self) -> tuple[str, ...]:
        """The reasoning: everything before the first `plan`."""
        return self.tokens[: self.tokens.index(PLAN)] if PLAN in self.tokens else self.tokens

    @property
    def trace_length(self) -> int:
        """Tokens of the reasoning."""
        return len(self.trace)

    @property
    def trace_clauses(self) -> int:
        """Steps of the reasoning: how often a node is created or closed."""
        return sum(token in (CREATE, CLOSE) for token in self.trace)

    @property
    def level(self) -> int:
        """The level of dropping that the trace looks like: 0, 1, 2 (a model's trace looks the same at 3) or 4."""
        if not self.trace:
            return 4
        if CLOSE in self.trace:
            return 0
        return 1 if any(token.startswith("c") and token[1:].isdecimal() for token in self.trace) else 2

    @property
    def plan(self) -> tuple[Cell, ...] | None:
        """The positions of the plan; None if it does not follow the grammar or never ended."""
        rest = self.tokens[len(self.trace) :]
        return positions(rest) if self.is_ended and rest else None

    def solves(self, task: SearchTask[Any]) -> bool:
        """Whether the plan is correct: it reaches the goal by allowed moves."""
        return self.plan is not None and task.is_solved_by(self.plan)


class Planner:
    """A model with its vocabulary.

    Args:
        model: The model.
        tokenizer: The vocabulary that it was trained with.

    Raises:
        ValueError: if they differ in the number of tokens.
    """

    def __init__(self, model: EncoderDecoder, tokenizer: TaskTokenizer) -> None:
        if model.config.vocab_size != len(tokenizer.vocab):
            raise ValueError(
                f"the model has {model.config.vocab_size} tokens, but the vocabulary of {tokenizer.kind} tasks of "
                f"{tokenizer.width}x{tokenizer.height} has {len(tokenizer.vocab)}"
            )
        self.model, self.tokenizer = model, tokenizer

    def prefix(self, mode: Mode) -> list[int]:
        """The tokens that a mode forces: bos and, for fast, `plan`; for slow, `create`; for auto, nothing else.

        Raises:
            ValueError: if there is no such mode.
        """
        if mode not in MODES:
            raise ValueError(f"the mode must be one of {', '.join(MODES)}, not '{mode}'")
        forced = {"fast": [PLAN], "slow": [CREATE], "auto": []}[mode]
        return [BOS, *self.tokenizer.encode(forced)]

    def solve(
        self,
        task: SearchTask[Any],
        mode: Mode = "auto",
        n_samples: int = 1,
        temperature: float = 1.0,
        max_len: int | None = None,
        generator: torch.Generator | None = None,
    ) -> list[Response]:
        """Responses to one task; see `solve_all`."""
        return self.solve_all([task], mode, n_samples, temperature, max_len, generator)[0]

    def solve_all(
        self,
        tasks: Sequence[SearchTask[Any]],
        mode: Mode = "auto",
        n_samples: int = 1,
        temperature: float = 1.0,
        max_len: int | None = None,
        generator: torch.Generator | None = None,
        batch_size: int = 2048,
        track: Callable[[Iterable[int], str], Iterable[int]] | None = None,
    ) -> list[list[Response]]:
        """Responses to several tasks, sampled in large batches (section 4.2 of the paper).

        Args:
            tasks: The tasks.
            mode: `fast` answers at once, `slow` searches first, `auto` leaves it to the model.
            n_samples: Responses per task.
            temperature: Sampling temperature; 0 for greedy decoding.
            max_len: Most tokens of a response; see `default_max_len`.
            generator: Source of randomness, on the CPU; seeded with 0 if not given.
            batch_size: Most responses that are sampled at once.
            track: Shows progress over batches.

        Returns:
            For each task its responses.

        Raises:
            ValueError: if there is no such mode, a task is of another size than the vocabulary, or a number is out of
                range.
        """
        check_sampling(n_samples, temperature, max_len)
        prefix = self.prefix(mode)
        prompts = [self.tokenizer.encode_prompt(task) for task in tasks]
        generator = generator or torch.Generator().manual_seed(0)
        device = next(self.model.parameters()).device
        # Several tasks a batch, or several batches a task.
        width, n_parts = max(1, batch_size // n_samples), -(-n_samples // batch_size)
        batches: Iterable[int] = range(-(-len(prompts) // width) * n_parts)
        responses: list[list[Response]] = [[] for _ in prompts]
        for batch in track(batches, "batches of tasks") if track else batches:
            start, part = batch // n_parts * width, batch % n_parts
            prompt, mask = pad(prompts[start : start + width])
            written = sample(
                self.model,
                prompt.to(device),
                mask.to(device),
                prefix=prefix,
                n_samples=min(batch_size, n_samples - part * batch_size),
                temperature=temperature,
                max_len=self.default_max_len if max_len is None else max_len,
                generator=generator,
            )
            for number, samples in enumerate(written, start):
                responses[number] += [self._response(prefix[1:], ids) for ids in samples]
        return responses

    def respond(
        self,
        tasks: Sequence[SearchTask[Any]],
        mode: Mode,
        config: SamplingConfig,
        track: Callable[[Iterable[int], str], Iterable[int]] | None = None,
    ) -> list[list[Response]]:
        """`solve_all` with settings that are kept in one place; the seed is that of a new generator."""
        generator = torch.Generator().manual_seed(config.seed)
        options = (config.n_samples, config.temperature, config.max_len, generator, config.batch_size)
        return self.solve_all(tasks, mode, *options, track)

    @property
    def default_max_len(self) -> int:
        """Most tokens of a response where no other number is given.

        In a maze ten for each cell, as many as A* writes if it creates and closes every one; in Sokoban, and for tasks
        of your own, the 10,000 of the paper's Sokoban.
        """
        return max(64, 10 * self.tokenizer.width * self.tokenizer.height) if self.tokenizer.kind == "maze" else 10_000

    def _response(self, forced: Sequence[int], ids: Sequence[int]) -> Response:
        return Response(tuple(self.tokenizer.decode([*forced, *ids])), bool(ids) and ids[-1] == EOS)
