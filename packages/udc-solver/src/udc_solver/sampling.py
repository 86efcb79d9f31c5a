"""Choices by logits: the most likely one, or one that is drawn."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def choose(logits: Float[Tensor, "*rows some"], generator: torch.Generator | None) -> Int[Tensor, "*rows"]:
    """The largest logit, or, with a generator, one drawn from their softmax."""
    if generator is None:
        return logits.argmax(-1)
    # The largest logit is a draw from the softmax if Gumbel noise is added to each.
    noise = torch.empty(logits.shape).exponential_(generator=generator).log_()
    return (logits - noise.to(logits.device)).argmax(-1)
