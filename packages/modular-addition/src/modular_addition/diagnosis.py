"""What the weights of a network on the integers mod p are made of."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .fourier import Spectrum, participation_ratio, spectrum, wrap

SPECIALIZED = 0.5
"""Share of a neuron's energy, in each layer, that lies in its frequency if it is called specialized."""

ROUNDING = 1e-5
"""Share of the largest magnitude of a layer below which a neuron is silent."""


@dataclass(frozen=True)
class FourierReport:
    """Frequencies, magnitudes and phases of the neurons of a two-layer network, and how they are distributed.

    A neuron's frequency k* is that of its largest input magnitude. There, its input weights are θ ≈ α cos(w j + φ), its
    output weights ξ ≈ β cos(w j + ψ), and its misalignment is D = 2φ - ψ. Where the two numbers have weights of their
    own, input magnitudes are the root mean square of both, and D = φₓ + φᵧ - ψ. Neurons without a weight do not count.

    Attributes:
        inputs: Spectrum of the input weights, a row for each neuron; of the first number, if the two have their own.
        outputs: Spectrum of the output weights.
        second: Spectrum of the input weights of the second number, where it has its own.
    """

    inputs: Spectrum
    outputs: Spectrum
    second: Spectrum | None = None

    @classmethod
    def from_weights(
        cls,
        w_in: Float[Tensor, "width inputs"],
        w_out: Float[Tensor, "classes neurons"],
        w_second: Float[Tensor, "others inputs"] | None = None,
    ) -> "FourierReport":
        """The report of a pair of weights, such as those of `nn.Linear(p, M)` and `nn.Linear(M, p)`; p may be even.

        Args:
            w_in: Input weights (M, p); or (M, 2p), if the input is two one-hot vectors one after the other.
            w_out: Output weights (p, M).
            w_second: Input weights of the second number, if they are not those of the first.

        Raises:
            ValueError: if the shapes do not fit, with both shapes, p is less than 3, or a weight is not finite.
        """
        if w_in.ndim == w_out.ndim == 2 and w_in.shape[1] == 2 * w_out.shape[0] and w_second is None:
            w_in, w_second = w_in.chunk(2, dim=1)
        second = w_in if w_second is None else w_second
        if w_in.ndim != 2 or w_in.mT.shape != w_out.shape or second.shape != w_in.shape:
            raise ValueError(
                f"weights must be (M, p) or (M, 2p) in and (p, M) out, not {tuple(w_in.shape)} and {tuple(w_out.shape)}"
            )
        if min(w_in.shape[1] - 2, w_in.shape[0]) < 1:
            raise ValueError(f"weights must be of p ≥ 3 numbers and one neuron or more, not {tuple(w_in.shape)}")
        for name, weight in (("input", w_in), ("input", second), ("output", w_out)):
            if not weight.isfinite().all():
                raise ValueError(f"some {name} weights are not finite")
        parts = [spectrum(one.detach().cpu()) for one in (w_in, w_out.mT, second)]
        return cls(parts[0], parts[1], None if w_second is None else parts[2])

    @classmethod
    def of_shared_weights(
        cls, w_in: Float[Tensor, "width p"], w_out: Float[Tensor, "classes neurons"]
    ) -> "FourierReport":
        """The report of a network both numbers of which have the same weights.

        Raises:
            ValueError: as `from_weights`, or if they have weights of their own.
        """
        report = cls.from_weights(w_in, w_out)
        if report.second is not None:
            raise ValueError(
                f"the two numbers must share their weights, (M, p) in and (p, M) out, not {tuple(w_in.shape)} and "
                f"{tuple(w_out.shape)}"
            )
        return report

    @property
    def p(self) -> int:
        """Size of the group."""
        return self.inputs.p

    @property
    def width(self) -> int:
        """Neurons."""
        return len(self.inputs.magnitude)

    @property
    def n_frequencies(self) -> int:
        """Frequencies, ⌊p / 2⌋."""
        return self.p // 2

    @cached_property
    def input_magnitude(self) -> Float[Tensor, "width frequencies"]:
        """Input magnitudes; the root mean square of both, where the numbers have weights of their own."""
        first = self.inputs.magnitude
        return first if self.second is None else torch.hypot(first, self.second.magnitude) / 2**0.5

    @cached_property
    def is_alive(self) -> Bool[Tensor, "width"]:
        """Neurons that have a weight, besides a mean and rounding, in both layers."""
        largest = [one.amax(1) for one in (self.input_magnitude, self.outputs.magnitude)]
        return (largest[0] > ROUNDING * largest[0].max()) & (largest[1] > ROUNDING * largest[1].max())

    @cached_property
    def frequency(self) -> Int[Tensor, "width"]:
        """The frequency k* of each neuron, from 1."""
        return self.input_magnitude.argmax(1) + 1

    @cached_property
    def output_frequency(self) -> Int[Tensor, "width"]:
        """The frequency of the largest output magnitude."""
        return self.outputs.dominant

    def _at(self, values: Tensor) -> Tensor:
        return values.gather(1, self.frequency[:, None] - 1)[:, 0]

    @cached_property
    def alpha(self) -> Float[Tensor, "width"]:
        """Input magnitude α at k*."""
        return self._at(self.input_magnitude)

    @cached_property
    def beta(self) -> Float[Tensor, "width"]:
        """Output magnitude β at k*."""
        return self._at(self.outputs.magnitude)

    @cached_property
    def phi(self) -> Float[Tensor, "width"]:
        """Input phase φ at k*; halfway between the two where the numbers have weights of their own."""
        first = self._at(self.inputs.phase)
        return first if self.second is None else wrap(first + wrap(self._at(self.second.phase) - first) / 2)

    @cached_property
    def psi(self) -> Float[Tensor, "width"]:
        """Output phase ψ at k*."""
        return self._at(self.outputs.phase)

    @cached_property
    def misalignment(self) -> Float[Tensor, "width"]:
        """D = 2φ - ψ in (-π, π]; 0 is what addition needs."""
        return wrap(2 * self.phi - self.psi)

    @cached_property
    def input_ipr(self) -> Float[Tensor, "width"]:
        """Inverse participation ratio of the input weights."""
        return participation_ratio(self.input_magnitude)

    @cached_property
    def output_ipr(self) -> Float[Tensor, "width"]:
        """Inverse participation ratio of the output weights."""
        return participation_ratio(self.outputs.magnitude)

    @property
    def ipr(self) -> float:
        """Mean inverse participation ratio over neurons and both layers."""
        alive = self.is_alive
        return float((self.input_ipr[alive].mean() + self.output_ipr[alive].mean()) / 2)

    @cached_property
    def is_specialized(self) -> Bool[Tensor, "width"]:
        """Neurons with at least half of their energy at k*, in each layer."""
        relative = [one / one.amax(1, keepdim=True) for one in (self.input_magnitude, self.outputs.magnitude)]
        shares = [self._at(one.square()) / one.square().sum(1) for one in relative]
        return (shares[0] >= SPECIALIZED) & (shares[1] >= SPECIALIZED) & self.is_alive

    @property
    def agreement(self) -> float:
        """Share of neurons with the same frequency in both layers."""
        return float((self.frequency == self.output_frequency)[self.is_alive].double().mean())

    @property
    def mean_cos(self) -> float:
        """Mean cos D: 1 if all phases are aligned, 0 without alignment."""
        return float(self.misalignment[self.is_alive].cos().mean())

    @property
    def mean_abs_sin(self) -> float:
        """Mean |sin D|: 0 if all phases are aligned or opposite, 2 / π without alignment."""
        return float(self.misalignment[self.is_alive].sin().abs().mean())

    @property
    def balance(self) -> tuple[float, float]:
        """Standard deviation over mean of α and of β, over neurons; 0 if all are alike."""
        alive = self.is_alive
        if not alive.any():
            return math.nan, math.nan
        first, second = (one[alive] for one in (self.alpha, self.beta))
        return tuple(float((one / one.mean()).std(correction=0)) for one in (first, second))  # type: ignore[return-value]

    @property
    def counts(self) -> Int[Tensor, "frequencies"]:
        """Neurons of each frequency."""
        return torch.bincount(self.frequency[self.is_alive] - 1, minlength=self.n_frequencies)

    @property
    def specialized_counts(self) -> Int[Tensor, "frequencies"]:
        """Specialized neurons of each frequency."""
        return torch.bincount(self.frequency[self.is_specialized] - 1, minlength=self.n_frequencies)

    def resultants(self, n: int) -> Float[Tensor, "frequencies"]:
        """Length of the mean of exp(i n φ) over the neurons of each frequency: near 0 if phases are symmetric.

        Not a number for a frequency without neurons.
        """
        index, alive = self.frequency - 1, self.is_alive
        sums = torch.zeros(self.n_frequencies, 2, dtype=torch.double)
        turned = torch.stack([(n * self.phi).cos(), (n * self.phi).sin()], dim=1)
        sums.index_add_(0, index[alive], turned[alive])
        return sums.norm(dim=1) / self.counts

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold of it; what is not defined is null."""
        values: dict[str, Any] = {
            "p": self.p,
            "width": self.width,
            "silent": int((~self.is_alive).sum()),
            "specialized": int(self.is_specialized.sum()),
            "ipr": self.ipr,
            "agreement": self.agreement,
            "mean_cos_misalignment": self.mean_cos,
            "mean_abs_sin_misalignment": self.mean_abs_sin,
            "alpha_spread": self.balance[0],
            "beta_spread": self.balance[1],
            "frequencies": self.counts.tolist(),
        }
        for n in (1, 2, 4):
            values[f"resultant_{n}"] = float(self.resultants(n).nanmean())
        return {name: None if value != value else value for name, value in values.items()}  # noqa: PLR0124 - NaN

    def __str__(self) -> str:
        counts = self.counts
        spread, n_single, n_missing = self.balance, int(self.is_specialized.sum()), int((counts == 0).sum())
        lengths = ", ".join(f"R{n} {float(self.resultants(n).nanmean()):.3f}" for n in (1, 2, 4))
        lines = [
            f"{self.width} neurons on the integers mod {self.p}, {n_single} of a single frequency",
            f"inverse participation ratio  {self.ipr:.3f}  (1: one frequency, {1 / self.n_frequencies:.3f}: all alike)",
            f"same frequency in both layers  {100 * self.agreement:.1f} % of neurons",
            f"phase alignment ψ = 2φ  mean cos {self.mean_cos:.3f}, mean |sin| {self.mean_abs_sin:.3f}",
            f"spread of magnitudes  {100 * spread[0]:.0f} % in, {100 * spread[1]:.0f} % out",
            f"neurons of a frequency  {int(counts.min())} to {int(counts.max())}; {n_missing} frequencies have none",
            f"phase symmetry  resultants {lengths}",
        ]
        return "\n".join(lines)
