"""The two-layer network on pairs of integers mod p."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .configs import Activation, Init, ModelConfig
from .fourier import fourier_basis

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "quad": torch.square,
    "gelu": nn.functional.gelu,
    "identity": lambda z: z,
}


def pair_logits(
    w_in: Float[Tensor, "*members width p"],
    w_out: Float[Tensor, "*members p width"],
    x: Int[Tensor, "pairs"],
    y: Int[Tensor, "pairs"],
    activation: Activation = "relu",
) -> Float[Tensor, "*members pairs p"]:
    """Logits f(x, y)ⱼ = Σₘ ξₘ[j] σ(θₘ[x] + θₘ[y]) of one network, or of many at once.

    Rows are gathered, never multiplied by one-hot vectors. Bit for bit the same with x and y exchanged.

    Args:
        w_in: θ, a row for each neuron.
        w_out: ξ, a column for each neuron.
        x: First numbers of the pairs.
        y: Second numbers.
        activation: σ.
    """
    rows = w_in.mT.contiguous()
    hidden = rows.index_select(-2, x) + rows.index_select(-2, y)
    return ACTIVATIONS[activation](hidden) @ w_out.mT


class ModularAdditionNet(nn.Module):
    """f(x, y)ⱼ = Σₘ ξₘ[j] σ(θₘ[x] + θₘ[y]): two layers without biases on the sum of two one-hot vectors.

    Args:
        p: Size of the group; odd.
        width: Neurons M; by default as `ModelConfig` has it.
        activation: `relu`, `quad`, `gelu` or `identity`.
        init: `random`: every weight from a normal distribution of standard deviation `init_scale` / √p. Or
            `single-frequency`: each row one cosine of amplitude `init_scale` with a random phase in each layer, and
            frequencies spread equally over the neurons.
        init_scale: Scale of the initial weights.
        embedding: Dimensions of a learned embedding; then θ is the product of the first layer and the embedding.
        generator: Draws the weights.

    Attributes:
        w_in: (M, p), or (M, d) on an embedding.
        w_out: (p, M).
        w_embed: (d, p), or None.

    Raises:
        ValueError: if p is even or less than 3, a number is out of its range, or a name is unknown.
    """

    w_embed: nn.Parameter | None

    def __init__(
        self,
        p: int = 23,
        width: int | None = None,
        activation: Activation = "relu",
        init: Init = "random",
        init_scale: float = 0.1,
        embedding: int = 0,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        config = ModelConfig(p, width, activation, init, init_scale, embedding)
        self.p, self.width, self.activation = p, config.n_neurons, activation
        if init == "single-frequency":
            w_in, w_out = single_frequency_weights(p, self.width, init_scale, generator)
        else:
            scale = init_scale / math.sqrt(p)
            w_in = scale * torch.randn(self.width, embedding or p, generator=generator)
            w_out = scale * torch.randn(p, self.width, generator=generator)
        self.w_in, self.w_out = nn.Parameter(w_in), nn.Parameter(w_out)
        self.w_embed = None
        if embedding:
            self.w_embed = nn.Parameter(torch.randn(embedding, p, generator=generator) / math.sqrt(embedding))

    @classmethod
    def from_config(cls, config: ModelConfig, generator: torch.Generator | None = None) -> "ModularAdditionNet":
        """The network of a configuration."""
        return cls(
            config.p,
            config.width,
            config.activation,
            config.init,
            config.init_scale,
            config.embedding,
            generator=generator,
        )

    @classmethod
    def from_weights(
        cls, w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "p width"], activation: Activation = "relu"
    ) -> "ModularAdditionNet":
        """A network of weights that are there already, which are copied.

        Raises:
            ValueError: if p is even, or the shapes are not (M, p) and (p, M).
        """
        if w_in.mT.shape != w_out.shape:
            raise ValueError(f"the weights must be (M, p) and (p, M), not {tuple(w_in.shape)} and {tuple(w_out.shape)}")
        net = cls(w_in.shape[1], w_in.shape[0], activation)
        net.w_in, net.w_out = nn.Parameter(w_in.detach().clone()), nn.Parameter(w_out.detach().clone())
        return net

    @property
    def theta(self) -> Float[Tensor, "width p"]:
        """Each neuron's weight of each number, through the embedding if there is one."""
        return self.w_in if self.w_embed is None else self.w_in @ self.w_embed

    def forward(self, pairs: Int[Tensor, "batch 2"]) -> Float[Tensor, "batch p"]:
        """The logits of pairs of numbers."""
        return pair_logits(self.theta, self.w_out, pairs[:, 0], pairs[:, 1], self.activation)

    def logit_table(self) -> Float[Tensor, "p p p"]:
        """The logits of all pairs: entry (x, y, j)."""
        return logit_table(self.theta, self.w_out, self.activation)


def logit_table(
    w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "p width"], activation: Activation = "relu"
) -> Float[Tensor, "p p p"]:
    """The logits of all pairs, entry (x, y, j); a row of x at a time, so that memory grows as p times the width."""
    rows = w_in.mT.contiguous()
    act = ACTIVATIONS[activation]
    return torch.stack([act(row + rows) @ w_out.mT for row in rows])


def single_frequency_weights(
    p: int, width: int, scale: float, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "width p"], Float[Tensor, "p width"]]:
    """Rows of one cosine each, of amplitude `scale`, with random phases that the two layers do not share.

    The frequencies, in random order, are repeated until there is one for every neuron, and then shuffled.

    Raises:
        ValueError: if p is even or less than 3.
    """
    config = ModelConfig(p, width, init_scale=scale)
    n_frequencies = (p - 1) // 2
    tiled = torch.randperm(n_frequencies, generator=generator).repeat(-(-config.n_neurons // n_frequencies))[:width]
    k = tiled[torch.randperm(width, generator=generator)]
    basis = fourier_basis(p).float()
    cosines, sines = basis[1 : 1 + n_frequencies], basis[1 + n_frequencies :]

    def rows() -> Tensor:
        direction = nn.functional.normalize(torch.randn(width, 2, generator=generator))
        return scale * math.sqrt(p / 2) * (direction[:, :1] * cosines[k] + direction[:, 1:] * sines[k])

    return rows(), rows().T.contiguous()
