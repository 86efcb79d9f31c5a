"""NoProp-DT: a block for each step of diffusion in discrete time, each trained by itself."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .blocks import BlockFactory
from .configs import SamplerConfig
from .embeddings import ClassEmbedding
from .heads import LinearHead
from .model import NoPropModel, Size, head_error, prior_kl, repeated, split_block, squared_error
from .samplers import Draw, ancestral_step, make_noise
from .schedules import CosineSchedule, Schedule


class NoPropDT(NoPropModel):
    """Diffusion of labels in discrete time (the paper's Algorithm 1 and the section before it).

    Block t reads a state z_{t-1} and predicts the embedding of the class, û_t = softmax(block_t(x, z_{t-1})) W. It is
    trained on z_{t-1} ~ q(z_{t-1} | y), which is known in closed form, so that no other block is run. For inference the
    blocks are run in turn: z_t = a_t û_t + b_t z_{t-1} + sqrt(c_t) eps.

    Args:
        n_classes: Number of classes.
        block_factory: Called with the dimension of a state and the number of classes for each block; a block is called
            as `block(x, z)` and gives logits of shape (batch, classes).
        schedule: Noise levels, one more than there are blocks; the cosine schedule of 10 steps by default.
        embedding: Of the classes; one-hot by default.
        head: Reads class probabilities from z_T; linear by default.
        eta: Weight of the denoising loss.

    Raises:
        ValueError: if the embedding has another number of classes.
    """

    def __init__(
        self,
        n_classes: int,
        block_factory: BlockFactory,
        *,
        schedule: Schedule | None = None,
        embedding: ClassEmbedding | None = None,
        head: LinearHead | None = None,
        eta: float = 0.1,
    ) -> None:
        embedding = embedding or ClassEmbedding(n_classes)
        if embedding.n_classes != n_classes:
            raise ValueError(f"the embedding has {embedding.n_classes} classes, but the model {n_classes}")
        super().__init__(embedding, head, SamplerConfig())
        self.schedule = schedule or CosineSchedule()
        self.eta = eta
        self.blocks = nn.ModuleList(block_factory(embedding.dim, n_classes) for _ in range(self.n_steps))

    @property
    def n_steps(self) -> int:
        """The number of steps, and of blocks, T."""
        return self.schedule.n_steps

    def loss_weight(self, t: int) -> float:
        """(T / 2) eta (SNR(t) - SNR(t - 1)), the weight of block t's squared error."""
        return 0.5 * self.n_steps * self.eta * float(self.schedule.snr_steps[t - 1])

    def noisy_labels(
        self, t: int, y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch dim"]:
        """z_t ~ q(z_t | y). Block t is trained on those of t - 1."""
        u = self.embedding(y)
        return self.schedule.noisy(t, u, make_noise(generator)(u))

    def denoise(
        self, t: int, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"]
    ) -> Float[Tensor, "states dim"]:
        """û_t(z_{t-1}, x).

        Args:
            t: The step, 1 to T.
            x: The samples.
            z: States, one or as many for each sample; those of a sample follow each other.

        Raises:
            ValueError: if there is no such step, or the block does not give logits of the classes.
        """
        self.schedule.check_step(t)
        block = self.blocks[t - 1]
        if split_block(block):
            logits = block.denoise(repeated(block.encode(x), z.shape[0]), z)  # type: ignore[operator] # methods
        else:
            logits = block(repeated(x, z.shape[0]), z)
        return self.embedding.mean(self._checked(logits, z.shape[0]))

    def _checked(self, logits: Tensor, n: Size) -> Tensor:
        if logits.shape != (n, self.n_classes):
            raise ValueError(
                f"a block must give logits of shape ({n}, {self.n_classes}), one for each sample and class, "
                f"not {tuple(logits.shape)}"
            )
        return logits

    def block_loss(
        self,
        t: int,
        x: Float[Tensor, "batch *sample"],
        y: Int[Tensor, "batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """The term of the loss that trains block t: (T / 2) eta (SNR(t) - SNR(t - 1)) ‖û_t(z_{t-1}, x) - u_y‖².

        Runs no other block.

        Args:
            t: The block, 1 to T.
            x: Samples.
            y: Their classes.
            generator: Draws z_{t-1}.

        Raises:
            ValueError: if there is no such block, or its output has another shape.
        """
        self.schedule.check_step(t)
        z = self.noisy_labels(t - 1, y, generator)
        return self.loss_weight(t) * squared_error(self.denoise(t, x, z), self.embedding(y)).mean()

    def head_loss(self, y: Int[Tensor, "batch"], generator: torch.Generator | None = None) -> Float[Tensor, ""]:
        """The terms without a block: E[-log p(y | z_T)] + KL(q(z_0 | y) || p(z_0))."""
        z = self.noisy_labels(self.n_steps, y, generator)
        return head_error(self, z, y) + prior_kl(self.embedding(y), float(self.schedule.abar[0]))

    def loss(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """The whole objective, with all blocks in place of a random one: the mean over t of `block_loss`.

        Blocks share nothing in it but a learned embedding; to train them apart, use `block_loss`.
        """
        errors = [self.block_loss(t, x, y, generator) for t in range(1, self.n_steps + 1)]
        return self.head_loss(y, generator) + torch.stack(errors).mean()

    def step(
        self, t: int, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"], draw: Draw
    ) -> Float[Tensor, "states dim"]:
        """One step of the chain, from z_{t-1} to z_t."""
        return ancestral_step(z, self.denoise(t, x, z), self.schedule.posterior_coefficients(t), draw)

    def chain(self, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"], draw: Draw) -> Iterator[Tensor]:
        """The states z_1, ..., z_T, from z_0 on."""
        for t in range(1, self.n_steps + 1):
            z = self.step(t, x, z, draw)
            yield z
