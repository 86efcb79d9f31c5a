"""NoProp-FM: flow matching between noise and the embedding of the class."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from .blocks import BlockFactory
from .continuous import TimedModel, spread_times
from .embeddings import ClassEmbedding
from .heads import LinearHead
from .model import squared_error
from .samplers import Draw, integrate, make_noise


class NoPropFM(TimedModel):
    """Flow matching of labels (the paper's section on NoProp-FM).

    On the straight path z_t = t u_y + (1 - t) z_0 from noise to the class embedding, the network v(z_t, x, t) is
    trained to give its direction u_y - z_0, and for inference is followed from z_0 ~ N(0, I).

    Args:
        n_classes: Number of classes.
        block_factory: Called with the dimension d of a state, and d again, the number of outputs; the block is called
            as `block(x, z, t)` with a time for each sample.
        embedding: Of the classes; one-hot by default. One that is learned is kept from collapsing by the cross-entropy
            at the end that each state points to, z~_1 = z_t + (1 - t) v.
        head: Reads class probabilities from z_1; linear by default.
        noise: Standard deviation of noise on the states that are trained on.
        steps: Steps of the chain at inference.

    Raises:
        ValueError: if the embedding has another number of classes.
    """

    def __init__(
        self,
        n_classes: int,
        block_factory: BlockFactory,
        *,
        embedding: ClassEmbedding | None = None,
        head: LinearHead | None = None,
        noise: float = 0.0,
        steps: int = 1000,
    ) -> None:
        embedding = embedding or ClassEmbedding(n_classes)
        if embedding.n_classes != n_classes:
            raise ValueError(f"the embedding has {embedding.n_classes} classes, but the model {n_classes}")
        super().__init__(block_factory(embedding.dim, embedding.dim), embedding, head, steps)
        self.noise = noise

    @property
    def n_outputs(self) -> int:
        """Numbers that the network gives for a sample: those of a state."""
        return self.embedding.dim

    def loss(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """E ‖v(z_t, x, t) - (u_y - z_0)‖² and the cross-entropy of the head.

        With a fixed embedding the head alone learns from the latter, and the network from the former.

        Args:
            x: Samples.
            y: Their classes.
            generator: Draws times and noise.
        """
        u, draw = self.embedding(y), make_noise(generator)
        t = spread_times(len(y), generator).to(u)
        start = draw(u)
        along = t[:, None]
        z = along * u + (1 - along) * start
        if self.noise:
            z = z + self.noise * draw(u)
        v = self.output(x, z, t)
        end = z + (1 - along) * v
        if not self.embedding.is_learned:
            end = end.detach()
        return squared_error(v, u - start).mean() + cross_entropy(self.head(end, self.embedding), y)

    def chain(self, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"], draw: Draw) -> Iterator[Tensor]:
        """The states after each step; by Heun's method unless `sampler` names Euler's. There is no noise in a step."""
        del draw
        yield from integrate(
            self.at_time(x, z.shape[0]), z, self.sampler.steps, heun=self.sampler.sampler != "ode-euler"
        )
