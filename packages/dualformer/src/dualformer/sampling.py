"""Batched sampling with a KV cache: many samples of many tasks at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .configs import check_sampling
from .tokenizer import EOS
from .transformer import CrossAttention, DecoderBlock, EncoderDecoder

FIRST_CAPACITY = 64
"""Positions that a cache first has room for; it doubles when they are full."""

MOST_IDLE = 1 / 8
"""Share of finished sequences at which they are removed: each removal copies the rest of the cache."""


@dataclass
class _Rows:
    """The sequences that are decoded, in the order of their tasks.

    Attributes:
        task: Task of each, as a row of the features.
        slot: Place of each among those of its task.
        shape: Tasks, and the most places that one of them has.
    """

    task: Int[Tensor, "rows"]
    slot: Int[Tensor, "rows"]
    shape: tuple[int, int]

    def select(self, keep: Int[Tensor, "kept"]) -> "_Rows":
        task = self.task[keep]
        counts = torch.bincount(task, minlength=self.shape[0])
        first = counts.cumsum(0) - counts
        slot = torch.arange(len(task), device=task.device) - first[task]
        return _Rows(task, slot, (self.shape[0], int(counts.max())))

    def beside(self, x: Float[Tensor, "rows new dim"]) -> Float[Tensor, "tasks slots_new dim"]:
        """The rows of each task side by side."""
        tasks, slots = self.shape
        if tasks * slots == len(x):
            return x.reshape(tasks, -1, x.shape[2])
        padded = x.new_zeros(tasks, slots, *x.shape[1:])
        padded[self.task, self.slot] = x
        return padded.flatten(1, 2)

    def apart(self, x: Float[Tensor, "tasks slots_new dim"]) -> Float[Tensor, "rows new dim"]:
        """The inverse of `beside`."""
        tasks, slots = self.shape
        split = x.unflatten(1, (slots, -1))
        return split.flatten(0, 1) if tasks * slots == len(self.task) else split[self.task, self.slot]


class DecoderCache:
    """Keys and values of each decoder block, of the prompts and of what was decoded.

    Args:
        model: The model.
        features: Its features of the prompts.
        prompt_mask: True where a prompt has a token.
        n_samples: Sequences for each prompt.
        max_len: Most tokens of a sequence.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        features: Float[Tensor, "tasks prompt dim"],
        prompt_mask: Bool[Tensor, "tasks prompt"],
        n_samples: int,
        max_len: int,
    ) -> None:
        self.model, self.mask, self.max_len = model, prompt_mask[:, None, None], max_len
        blocks: list[DecoderBlock] = list(model.decoder)  # type: ignore[arg-type]
        self.prompts = [block.cross.project(features) for block in blocks]
        n, device = len(features) * n_samples, features.device
        number = torch.arange(n, device=device)
        self.rows = _Rows(number // n_samples, number % n_samples, (len(features), n_samples))
        self.length = 0
        heads = model.config.n_heads
        shape = (n, heads, min(FIRST_CAPACITY, max_len), model.config.dim // heads)
        self.keys = [features.new_empty(shape) for _ in blocks]
        self.values = [features.new_empty(shape) for _ in blocks]

    def keep(self, rows: Int[Tensor, "kept"]) -> None:
        """Keep only these sequences."""
        self.rows = self.rows.select(rows)
        self.keys = [kept[rows] for kept in self.keys]
        self.values = [kept[rows] for kept in self.values]

    def append(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows vocab"]:
        """Decode further tokens of each sequence; the logits of the one after the last."""
        new = tokens.shape[1]
        self._make_room(self.length + new)
        x = self.model.decoder_embedding(tokens)
        for index, block in enumerate(self.model.decoder):
            x = self._block(block, index, x)  # type: ignore[arg-type]
        self.length += new
        return self.model.decoder_head(self.model.decoder_norm(x[:, -1]))

    def _block(self, block: DecoderBlock, index: int, x: Tensor) -> Tensor:
        start, end = self.length, self.length + x.shape[1]
        q, k, v = block.attention.project(block.attention_norm(x), offset=start)
        keys, values = self.keys[index], self.values[index]
        keys[:, :, start:end], values[:, :, start:end] = k, v
        mask = None
        if x.shape[1] > 1:
            mask = torch.ones(end - start, end, dtype=torch.bool, device=x.device).tril(start)
        seen = F.scaled_dot_product_attention(q, keys[:, :, :end], values[:, :, :end], mask)
        x = x + block.attention.out(seen.transpose(1, 2).flatten(2))
        x = x + self._cross(block.cross, self.prompts[index], block.cross_norm(x))
        return x + block.feed_forward(block.feed_forward_norm(x))

    def _cross(self, cross: CrossAttention, prompt: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
        """Cross-attention, the samples of a task side by side as its queries: prompts are never repeated."""
        return self.rows.apart(cross.attend(self.rows.beside(x), prompt, self.mask))

    def _make_room(self, length: int) -> None:
        capacity = self.keys[0].shape[2]
        if length <= capacity:
            return
        extra = min(self.max_len, max(length, 2 * capacity)) - capacity
        self.keys = [F.pad(kept, (0, 0, 0, extra)) for kept in self.keys]
        self.values = [F.pad(kept, (0, 0, 0, extra)) for kept in self.values]


@torch.no_grad()
def sample(
    model: EncoderDecoder,
    prompt: Int[Tensor, "tasks prompt"],
    prompt_mask: Bool[Tensor, "tasks prompt"],
    *,
    prefix: Sequence[int],
    n_samples: int = 1,
    temperature: float = 1.0,
    max_len: int = 1000,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
    track: Callable[[int, int], None] | None = None,
) -> list[list[list[int]]]:
    """Continue a prefix until eos.

    All samples of all tasks are decoded as one batch, from which finished ones are removed several at a time. Each
    sequence has its own random numbers, so that it does not depend on when others end.

    Args:
        model: Put into evaluation mode.
        prompt: What the encoder reads.
        prompt_mask: True where a prompt has a token.
        prefix: Tokens that every sequence begins with: bos and forced ones.
        n_samples: Sequences per prompt.
        temperature: Divides the logits; 0 for greedy decoding.
        max_len: Most tokens of a sequence, prefix included.
        generator: Source of randomness, on the CPU; required unless the temperature is 0.
        use_cache: Cache keys and values; without it, everything is recomputed for each token, for comparison.
        track: Called after each token with the number of finished sequences and the length of the longest.

    Returns:
        For each task and sample the tokens after the prefix, with eos unless it was cut off.

    Raises:
        ValueError: if `max_len` leaves no room after the prefix, or a number is out of range.
    """
    _check(prefix, n_samples, temperature, max_len, generator)
    model.eval()
    n, device = len(prompt) * n_samples, prompt.device
    features = model.encode(prompt, prompt_mask)
    cache = DecoderCache(model, features, prompt_mask, n_samples, max_len)
    tokens = torch.full((n, min(max_len, max(FIRST_CAPACITY, len(prefix)))), EOS, device=device)
    tokens[:, : len(prefix)] = torch.tensor(list(prefix), device=device)
    rows = torch.arange(n, device=device)
    alive = torch.ones(n, dtype=torch.bool, device=device)
    start = 0
    for length in range(len(prefix), max_len):
        if length == tokens.shape[1]:
            tokens = F.pad(tokens, (0, min(length, max_len - length)), value=EOS)
        if use_cache:
            logits = cache.append(tokens[rows, start:length])
            start = length
        else:
            task = rows // n_samples
            logits = model.decode(features[task], prompt_mask[task], tokens[rows, :length])[:, -1]
        chosen = _choose(logits.float(), temperature, rows, n, generator)
        tokens[rows, length] = chosen.where(alive, EOS)
        alive &= chosen != EOS
        n_alive = int(alive.sum())
        if track:
            track(n - n_alive, length + 1)
        if n_alive == 0:
            break
        if n_alive <= (1 - MOST_IDLE) * len(rows):
            going = alive.nonzero()[:, 0]
            rows, alive = rows[going], alive[going]
            if use_cache:
                cache.keep(going)
    written = [_until_eos(row) for row in tokens[:, len(prefix) :].tolist()]
    return [written[i : i + n_samples] for i in range(0, n, n_samples)]


def _choose(
    logits: Float[Tensor, "rows vocab"],
    temperature: float,
    rows: Int[Tensor, "rows"],
    n: int,
    generator: torch.Generator | None,
) -> Int[Tensor, "rows"]:
    if temperature == 0:
        return logits.argmax(-1)
    uniform = torch.rand(n, 1, generator=generator).to(logits.device)[rows]
    ends = (logits / temperature).softmax(-1).cumsum(-1)
    return torch.searchsorted(ends, uniform * ends[:, -1:], right=True).clamp_max(logits.shape[-1] - 1)[:, 0]


def _until_eos(row: list[int]) -> list[int]:
    return row[: row.index(EOS) + 1] if EOS in row else row


def _check(
    prefix: Sequence[int], n_samples: int, temperature: float, max_len: int, generator: torch.Generator | None
) -> None:
    check_sampling(n_samples, temperature, max_len)
    if max_len <= len(prefix):
        raise ValueError(
            f"max_len must be more than the {len(prefix)} tokens that every sequence begins with, not {max_len}"
        )
    if temperature > 0 and generator is None:
        raise ValueError("sampling needs a generator, such as torch.Generator().manual_seed(0), or the temperature 0")
