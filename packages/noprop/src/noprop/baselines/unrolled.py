"""Back-propagation through the same blocks: the chain of NoProp-DT, unrolled."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from noprop.discrete import NoPropDT
from noprop.model import head_error, prior_kl
from noprop.samplers import make_noise, no_noise


class BackpropUnrolled(nn.Module):
    """A `NoPropDT` that is trained end to end: cross-entropy after the last step, gradients through all blocks.

    It computes what the model computes at inference, and as a module gives the same logits.

    Args:
        model: The model, whose blocks, head and learned embedding are trained.
        noise: Add the sampling noise of each step in training, too.
    """

    def __init__(self, model: NoPropDT, *, noise: bool = True) -> None:
        super().__init__()
        self.model = model
        self.noise = noise

    def loss(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """-log p(y | z_T), z_T at the end of the chain from z_0 ~ N(0, I).

        Args:
            x: Samples.
            y: Their classes.
            generator: Draws the noise.
        """
        draw = make_noise(generator)
        start = draw(self.model.embedding.weight.new_zeros(len(x), self.model.embedding.dim))
        z = self.model.end(x, start, draw if self.noise else no_noise)
        return head_error(self.model, z, y) + self._prior(y)

    def _prior(self, y: Tensor) -> Float[Tensor, ""]:
        """The KL term, which has a gradient where the embedding is learned; zero elsewhere."""
        if not self.model.embedding.is_learned:
            return self.model.embedding.weight.new_zeros(())
        return prior_kl(self.model.embedding(y), float(self.model.schedule.abar[0]))

    def forward(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch classes"]:
        """The logits at the end of a chain without noise."""
        return self.model(x)
