"""The Hebbian subspace: lateral neurons that learn the principal subspace of a layer's activity."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class DivergenceError(ValueError):
    """Learning ran away: activity, weights or the loss are no longer finite."""


@dataclass(frozen=True)
class SpikingLateral:
    """Lateral neurons that answer in bursts of spikes: responses in steps of `scale / timesteps` within ±`scale`.

    Args:
        scale: Largest response.
        timesteps: Most spikes that a burst can have.

    Raises:
        ValueError: if either is not positive.
    """

    scale: float = 20.0
    timesteps: int = 40

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf or self.timesteps < 1:
            raise ValueError(
                f"bursts need a positive scale and at least 1 time step, not {self.scale} and {self.timesteps}"
            )

    def __call__(self, y: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The response that bursts can express, nearest to `y`."""
        return (y.clamp(-self.scale, self.scale) / self.scale * self.timesteps).round() / self.timesteps * self.scale


class HebbianSubspace(nn.Module):
    """Lateral weights H whose rows come to span the principal subspace of the activity that they see.

    The lateral neurons answer `y = H x`; their inhibitory return path predicts `x̂ = Hᵀ y`. Hebbian and anti-Hebbian
    learning together move `H` by `yᵀ (x - x̂)` (Oja's subspace rule), for the rows of the present task only: rows of
    earlier tasks are fixed, and since their prediction is subtracted too, new rows turn to what is left, orthogonal to
    the old ones.

    Not for activity with a large norm and a large `lr`: the rule is stable only while `lr · ‖x‖²` stays below about 2.

    Args:
        n_features: Width n of the activity.
        lr: Learning rate. The paper uses 0.01, and 0.001 for pixels.
        momentum: Momentum of the update, which is damped: `v ← momentum · v + (1 - momentum) · update`.
        iterations: Updates for each batch.
        spiking: How lateral neurons round their responses; None for real-valued ones.
        max_update: Bound on each entry of an update.
        normalize: Divide `lr` by the mean of ‖x‖², so that it is stable at any scale of the activity.

    Raises:
        ValueError: if an option is out of its range.
    """

    fixed: Tensor
    """The rows of earlier tasks, (old, features)."""
    learning: Tensor
    """The rows of the present task, (new, features)."""
    velocity: Tensor

    def __init__(
        self,
        n_features: int,
        *,
        lr: float = 0.01,
        momentum: float = 0.9,
        iterations: int = 5,
        spiking: SpikingLateral | None = None,
        max_update: float = 10.0,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        if n_features < 1 or iterations < 1:
            raise ValueError(f"features and iterations must be at least 1, not {n_features} and {iterations}")
        if not 0 <= lr < math.inf or not 0 <= momentum < 1 or not max_update > 0:
            raise ValueError(
                "Hebbian learning needs lr from 0, momentum from 0 to below 1, and a positive max_update, "
                f"not {lr}, {momentum} and {max_update}"
            )
        self.n_features = n_features
        self.lr = lr
        self.momentum = momentum
        self.iterations = iterations
        self.spiking = spiking
        self.max_update = max_update
        self.normalize = normalize
        for name in ("fixed", "learning", "velocity"):
            self.register_buffer(name, torch.empty(0, n_features))

    @property
    def weight(self) -> Float[Tensor, "dim features"]:
        """The weights H of all lateral neurons, earlier tasks' first."""
        return torch.cat([self.fixed, self.learning])

    @property
    def dim(self) -> int:
        """Number of lateral neurons."""
        return len(self.fixed) + len(self.learning)

    def grow(self, k: int, generator: torch.Generator | None = None) -> None:
        """Add `k` lateral neurons for a new task, with random orthonormal weights.

        Raises:
            ValueError: if there would be more of them than features.
        """
        if k < 0:
            raise ValueError(f"a subspace grows by a number of dimensions from 0, not {k}")
        if self.dim + k > self.n_features:
            raise ValueError(
                f"the subspace has {self.dim} dimensions and cannot grow by {k}, for an activity of {self.n_features}"
            )
        rows = torch.empty(k, self.n_features)
        if k:
            nn.init.orthogonal_(rows, generator=generator)
        self.learning = torch.cat([self.learning, rows.to(self.learning)])
        self.velocity = torch.cat([self.velocity, torch.zeros_like(rows).to(self.velocity)])

    def extend(self, rows: Float[Tensor, "k features"]) -> None:
        """Add known rows as fixed ones; rows that were still learning are dropped."""
        self._fix(torch.cat([self.fixed, rows.to(self.fixed)]))

    def merge(self, *, orthonormalize: bool = False) -> None:
        """End a task: all rows become fixed.

        Args:
            orthonormalize: Replace the rows by an orthonormal basis of their span, so that the projection is exact.
        """
        weight = self.weight
        self._fix(orthonormal(weight) if orthonormalize and len(weight) else weight)

    def _fix(self, rows: Tensor) -> None:
        self.fixed = rows
        self.learning = self.velocity = rows[:0]

    @torch.no_grad()
    def learn(self, x: Float[Tensor, "samples features"]) -> None:
        """Update the rows of the present task on a batch of activity.

        Raises:
            DivergenceError: if the activity or the updated weights are not finite; the weights stay as they were.
        """
        if not len(self.learning) or not len(x):
            return
        with torch.autocast(x.device.type, enabled=False):
            self._learn(x.to(self.learning.dtype))

    def _learn(self, x: Tensor) -> None:
        learning, velocity = self.learning, self.velocity
        update = self._update_rule(x)
        lr = self.lr / x.square().sum(1).mean().clamp_min(1e-12) if self.normalize else self.lr
        for _ in range(self.iterations):
            change = update(learning).clamp_(-self.max_update, self.max_update)
            velocity = torch.lerp(change, velocity, self.momentum)
            learning = learning + lr * velocity
        if not torch.isfinite(learning).all():
            if not torch.isfinite(x).all():
                raise DivergenceError("the activity from which the subspace learns has NaN or infinite entries")
            raise DivergenceError(
                f"Hebbian learning diverged at lr={self.lr} on activity with a mean ‖x‖² of "
                f"{x.square().sum(1).mean():.3g}; scale the inputs to unit variance, lower lr, or set normalize=True"
            )
        self.learning, self.velocity = learning, velocity

    def _update_rule(self, x: Float[Tensor, "samples features"]) -> Any:  # noqa: ANN401 - a closure
        """The map from the learning rows H to `Yᵀ (X - X̂) / samples`, with all that does not depend on H done once.

        The old rows' share of X̂ is the same at every iteration. With more samples than features, the activity enters
        through its correlation matrix; bursts of spikes are not linear in it, so they always go through the samples.
        """
        old, n_samples = self.fixed, x.shape[0]
        if self.spiking is None and n_samples > self.n_features:
            correlation = x.T @ x / n_samples
            residual = correlation - (correlation @ old.T) @ old

            def from_correlation(rows: Tensor) -> Tensor:
                return rows @ residual - (rows @ correlation @ rows.T) @ rows

            return from_correlation
        unexplained = x - self._respond(x, old) @ old

        def from_samples(rows: Tensor) -> Tensor:
            y = self._respond(x, rows)
            return (y.T @ unexplained - (y.T @ y) @ rows) / n_samples

        return from_samples

    def _respond(self, x: Tensor, rows: Tensor) -> Tensor:
        """Responses of the lateral neurons with these weights."""
        y = x @ rows.T
        return y if self.spiking is None else self.spiking(y)

    def project_out(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        """Take away the part in the fixed subspace, as the lateral neurons of earlier tasks predict it."""
        return x - self._respond(x, self.fixed) @ self.fixed if len(self.fixed) else x

    def explained(self, x: Float[Tensor, "samples features"]) -> float:
        """Share of the activity's energy, from 0 to 1, in the span of all rows."""
        energy = x.square().sum().item()
        if not self.dim or energy == 0:
            return 0.0
        return (x @ orthonormal(self.weight).T).square().sum().item() / energy

    def orthonormality_error(self) -> float:
        """Frobenius norm of `H Hᵀ - I`: how far `Hᵀ H` is from an exact projection."""
        return torch.dist(self.weight @ self.weight.T, torch.eye(self.dim).to(self.fixed)).item()

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.n_features}, dim={self.dim}, fixed={len(self.fixed)}, lr={self.lr}"

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:  # noqa: ANN401 - PyTorch's
        """Adopt the size of the saved subspace."""
        for name in ("fixed", "learning", "velocity"):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape[1:] == (self.n_features,):
                setattr(self, name, self.fixed.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


def orthonormal(rows: Float[Tensor, "k features"]) -> Float[Tensor, "k features"]:
    """An orthonormal basis of the span of the rows, computed in double precision."""
    return torch.linalg.qr(rows.double().T).Q.T.to(rows.dtype).contiguous()
