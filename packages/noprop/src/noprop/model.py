"""What the three models share: an embedding, a head, and inference by averaged runs of a chain."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .configs import SamplerConfig
from .embeddings import ClassEmbedding
from .heads import LinearHead
from .samplers import Draw, make_noise, no_noise

Size = int | torch.SymInt
"""A length; one that is not known yet, while a model is exported."""
BATCH = 1024
"""Samples times runs that inference holds at once."""


class NoPropModel(nn.Module):
    """A classifier whose label is denoised step by step.

    As a module, it maps samples to logits: from the states `z` that are given, or from zero, and without noise in the
    chain, so that the same samples always have the same logits. `predict_proba` averages noisy runs.

    Args:
        embedding: The class embeddings.
        head: Reads class probabilities from the last state; linear by default.
        sampler: How the chain is run.
    """

    def __init__(
        self, embedding: ClassEmbedding, head: LinearHead | None = None, sampler: SamplerConfig | None = None
    ) -> None:
        super().__init__()
        embedding.check_distinct()
        self.embedding = embedding
        self.head = head or LinearHead(embedding)
        self.sampler = sampler or SamplerConfig()

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.embedding.n_classes

    def chain(self, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"], draw: Draw) -> Iterator[Tensor]:
        """The states after each step, from z on.

        Args:
            x: The samples.
            z: States at the beginning, one or as many for each sample; those of a sample follow each other.
            draw: Noise of the steps.
        """
        raise NotImplementedError

    def end(
        self, x: Float[Tensor, "n *sample"], z: Float[Tensor, "states dim"], draw: Draw
    ) -> Float[Tensor, "states dim"]:
        """The last state of the chain from z on."""
        return deque(self.chain(x, z, draw), maxlen=1)[0]

    def _start(self, n: Size, draw: Draw) -> Float[Tensor, "states dim"]:
        return draw(self.embedding.weight.new_zeros(n, self.embedding.dim))

    @torch.no_grad()
    def sample(
        self,
        x: Float[Tensor, "n *sample"],
        generator: torch.Generator | None = None,
        *,
        n_runs: int = 1,
        deterministic: bool = False,
        return_path: bool = False,
    ) -> Tensor:
        """Run the chain from z_0 ~ N(0, I), in evaluation mode; afterwards each module is in the mode that it was in.

        Args:
            x: The samples.
            generator: Draws the noise; PyTorch's own by default.
            n_runs: Runs for each sample; their states follow each other.
            deterministic: From zero, without noise.
            return_path: Give all states.

        Returns:
            The last states, (n · n_runs, dim), or all of them, (steps + 1, n · n_runs, dim), beginning with z_0.
        """
        draw = no_noise if deterministic else make_noise(generator)
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            start = self._start(x.shape[0] * n_runs, draw)
            if return_path:
                return torch.stack([start, *self.chain(x, start, draw)])
            return self.end(x, start, draw)
        finally:
            for module, mode in modes.items():
                module.training = mode

    def forward(
        self, x: Float[Tensor, "batch *sample"], z: Float[Tensor, "batch dim"] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """The logits of samples at the end of a chain without noise.

        Args:
            x: The samples.
            z: States at the beginning; zero, the mean of the noise, by default.
        """
        z = self._start(x.shape[0], no_noise) if z is None else z
        return self.head(self.end(x, z, no_noise), self.embedding)

    @torch.no_grad()
    def predict_proba(
        self, x: Float[Tensor, "n *sample"], config: SamplerConfig | None = None
    ) -> Float[Tensor, "n classes"]:
        """Class probabilities, averaged over runs of the chain.

        Args:
            x: The samples.
            config: How the chain is run, for this call; the model's own `sampler` by default.
        """
        config = config or self.sampler
        n_runs = 1 if config.deterministic else config.n_runs
        generator = torch.Generator().manual_seed(config.seed)
        mine, self.sampler = self.sampler, config
        try:
            parts = []
            for batch in x.split(max(1, BATCH // n_runs)):
                z = self.sample(batch, generator, n_runs=n_runs, deterministic=config.deterministic)
                parts.append(self.head(z, self.embedding).softmax(-1).unflatten(0, (len(batch), n_runs)).mean(1))
        finally:
            self.sampler = mine
        return torch.cat(parts)

    def accuracy(
        self, x: Float[Tensor, "n *sample"], y: Int[Tensor, "n"], config: SamplerConfig | None = None
    ) -> float:
        """Share of samples that are classified correctly.

        Args:
            x: The samples.
            y: Their classes.
            config: How the chain is run; the model's own `sampler` by default.

        Raises:
            ValueError: if there are no samples, not one label for each, or labels are out of range.
        """
        self.check_labels(x, y)
        if not len(y):
            raise ValueError("an accuracy needs at least one sample")
        return float((self.predict_proba(x, config).argmax(1) == y).double().mean())

    def with_sampler(self, **settings: int | bool | str) -> SamplerConfig:
        """The model's own sampler with other settings."""
        return replace(self.sampler, **settings)  # type: ignore[arg-type] # its fields

    def check_labels(self, x: Tensor, y: Tensor) -> None:
        """Refuse labels that are none.

        Raises:
            ValueError: if there is not one for each sample, or one is out of range.
        """
        if len(x) != len(y):
            raise ValueError(f"expected one label for each sample, not {len(y)} for {len(x)}")
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < self.n_classes:
            raise ValueError(f"labels lie between 0 and {self.n_classes - 1}, not {int(y.min())} and {int(y.max())}")


def prior_kl(u: Float[Tensor, "batch dim"], abar: Float[Tensor, ""] | float) -> Float[Tensor, ""]:
    """KL(q(z_0 | y) || N(0, I)) = (abar_0 ‖u_y‖² - d abar_0 - d log(1 - abar_0)) / 2, the mean over the batch.

    Args:
        u: Embeddings of the classes.
        abar: abar_0.
    """
    level = torch.as_tensor(abar, dtype=u.dtype, device=u.device)
    return 0.5 * (level * u.square().sum(-1).mean() - u.shape[-1] * (level + torch.log1p(-level)))


def squared_error(
    one: Float[Tensor, "*blocks batch dim"], other: Float[Tensor, "batch dim"]
) -> Float[Tensor, "*blocks batch"]:
    """Squared distances, summed over the dimensions; of each block's answers to the same embeddings."""
    return (one - other).square().sum(-1)


def head_error(model: NoPropModel, z: Float[Tensor, "batch dim"], y: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
    """-log p(y | z), the mean over the batch."""
    return cross_entropy(model.head(z, model.embedding), y)


def split_block(block: nn.Module) -> bool:
    """Whether a block computes what depends on the sample alone by itself, in `encode` and `denoise`."""
    return hasattr(block, "encode") and hasattr(block, "denoise")


def repeated(values: Float[Tensor, "n *features"], n_states: Size) -> Float[Tensor, "states *features"]:
    """Each row as many times as there are states for it.

    Raises:
        ValueError: if the number of states is no multiple of that of the rows.
    """
    n = values.shape[0]
    if n_states == n:
        return values
    if not n or n_states % n:
        raise ValueError(f"{n_states} states do not belong to {n} samples")
    return values.repeat_interleave(n_states // n, 0)
