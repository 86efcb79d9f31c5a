"""NoProp-CT: one network for all times of diffusion in continuous time, with a learned noise schedule."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .blocks import BlockFactory
from .configs import SamplerConfig
from .embeddings import ClassEmbedding
from .heads import LinearHead
from .learned_schedule import LearnedSchedule
from .model import NoPropModel, Size, head_error, prior_kl, repeated, split_block, squared_error
from .samplers import Draw, ancestral, make_noise, probability_flow


class TimedModel(NoPropModel):
    """A model with one network for all times, called as `block(x, z, t)`; its part for x is computed once for a chain.

    Args:
        block: The network.
        embedding: The class embeddings.
        head: Reads class probabilities from the last state.
        steps: Steps of the chain.
    """

    def __init__(self, block: nn.Module, embedding: ClassEmbedding, head: LinearHead | None, steps: int) -> None:
        super().__init__(embedding, head, SamplerConfig(steps=steps))
        self.block = block

    def output(
        self, x: Float[Tensor, "batch *sample"], z: Float[Tensor, "batch dim"], t: Float[Tensor, "batch"]
    ) -> Float[Tensor, "batch outputs"]:
        """The network's output.

        Raises:
            ValueError: if it has another shape.
        """
        return self._checked(self.block(x, z, t), z.shape[0])

    def at_time(
        self, x: Float[Tensor, "n *sample"], n_states: Size
    ) -> Callable[[Float[Tensor, "states dim"], Float[Tensor, ""]], Float[Tensor, "states outputs"]]:
        """The network's output for these samples, as a function of states and one time for all of them.

        Args:
            x: The samples.
            n_states: States, a multiple of the samples: those of a sample follow each other.
        """
        if not split_block(self.block):
            samples = repeated(x, n_states)
            return lambda z, t: self.output(samples, z, t.expand(n_states))
        features = repeated(self.block.encode(x), n_states)  # type: ignore[operator] # a method
        return lambda z, t: self._checked(self.block.denoise(features, z, t.expand(n_states)), n_states)  # type: ignore[operator]

    @property
    def n_outputs(self) -> int:
        """Numbers that the network gives for a sample."""
        raise NotImplementedError

    def _checked(self, output: Tensor, n: Size) -> Tensor:
        if output.shape != (n, self.n_outputs):
            raise ValueError(
                f"the block must give an output of shape ({n}, {self.n_outputs}), not {tuple(output.shape)}"
            )
        return output


class NoPropCT(TimedModel):
    """Diffusion of labels in continuous time (the paper's section on NoProp-CT).

    û(z, x, t) = softmax(block(x, z, t)) W is trained at random times, each state drawn in closed form:

        E[-log p(y | z_1)] + KL(q(z_0 | y) || p(z_0)) + (eta / 2) E_t [SNR'(t) ‖û(z_t, x, t) - u_y‖²]

    Args:
        n_classes: Number of classes.
        block_factory: Called with the dimension of a state and the number of classes; the block is called as
            `block(x, z, t)` with a time for each sample, and gives logits.
        schedule: The noise schedule, which is learned with it.
        embedding: Of the classes; one-hot by default.
        head: Reads class probabilities from z_1; linear by default.
        eta: Weight of the denoising loss.
        steps: Steps of the chain at inference.

    Attributes:
        is_ode: Whether it is trained as an ODE, which ancestral sampling would not solve; Euler's method stands in.

    Raises:
        ValueError: if the embedding has another number of classes.
    """

    def __init__(
        self,
        n_classes: int,
        block_factory: BlockFactory,
        *,
        schedule: LearnedSchedule | None = None,
        embedding: ClassEmbedding | None = None,
        head: LinearHead | None = None,
        eta: float = 1.0,
        steps: int = 1000,
    ) -> None:
        embedding = embedding or ClassEmbedding(n_classes)
        if embedding.n_classes != n_classes:
            raise ValueError(f"the embedding has {embedding.n_classes} classes, but the model {n_classes}")
        super().__init__(block_factory(embedding.dim, n_classes), embedding, head, steps)
        self.schedule = schedule or LearnedSchedule()
        self.eta = eta
        self.is_ode = False

    @property
    def n_outputs(self) -> int:
        """Numbers that the network gives for a sample: logits of the classes."""
        return self.n_classes

    def noisy_labels(
        self, t: Float[Tensor, "batch"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch dim"]:
        """z_t ~ q(z_t | y), each at a time of its own."""
        u, abar = self.embedding(y), self.schedule.abar(t)[:, None]
        return abar.sqrt() * u + (1 - abar).sqrt() * make_noise(generator)(u)

    def loss(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """The objective at random times, which are spread evenly over the batch.

        Args:
            x: Samples.
            y: Their classes.
            generator: Draws times and noise.
        """
        t = spread_times(len(y), generator).to(x.device, self.embedding.weight.dtype)
        u = self.embedding(y)
        found = self.embedding.mean(self.output(x, self.noisy_labels(t, y, generator), t))
        weight = self.schedule.snr_rate(t)
        ends = self.noisy_labels(torch.ones_like(t), y, generator)
        return (
            head_error(self, ends, y)
            + prior_kl(u, self.schedule.abar(t.new_zeros(())))
            + 0.5 * self.eta * (weight * squared_error(found, u)).mean()
        )

    def chain(self, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"], draw: Draw) -> Iterator[Tensor]:
        """The states after each step of the grid, by the sampler that is set in `sampler`."""
        output, config = self.at_time(x, z.shape[0]), self.sampler

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            return self.embedding.mean(output(z, t))

        if config.sampler == "ancestral" and not self.is_ode:
            yield from ancestral(denoise, self.schedule, z, config.steps, draw)
        else:
            yield from probability_flow(denoise, self.schedule, z, config.steps, heun=config.sampler == "ode-heun")


def spread_times(n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n"]:
    """Times in [0, 1), uniform each, one in each n-th of the interval: the mean over them varies less."""
    device = "cpu" if generator is None else generator.device
    order = torch.randperm(n, generator=generator, device=device)
    return (order + torch.rand(n, generator=generator, device=device)) / n
