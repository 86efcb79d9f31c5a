"""The network of NoProp-CT as a neural ODE, trained by the adjoint method through its whole solution."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from noprop.continuous import NoPropCT
from noprop.model import head_error
from noprop.samplers import make_noise, no_noise, probability_flow_field


class _Field(nn.Module):
    """The right-hand side for one batch; what depends on the samples alone is part of the state, for its gradient."""

    def __init__(self, model: NoPropCT) -> None:
        super().__init__()
        self.model = model

    def forward(self, t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """dz/dt, and zero for the features."""
        z, features = state
        model = self.model
        logits = model.block.denoise(features, z, t.expand(len(z)))  # type: ignore[operator] # a method
        u = model.embedding.mean(logits)
        return probability_flow_field(z, u, model.schedule.abar(t), model.schedule.rate(t)), torch.zeros_like(features)


class AdjointClassifier(nn.Module):
    """A `NoPropCT` that is trained end to end as a neural ODE (Chen et al. 2018), by `torchdiffeq`'s adjoint method.

    It solves the probability-flow ODE from z_0 ~ N(0, I) and takes the cross-entropy at t = 1. Memory does not grow
    with the steps; each step of training solves the ODE forward, and the adjoint one backward.

    Args:
        model: The model, whose block must have `encode` and `denoise`. From then on it is an ODE, and is
            not run by ancestral sampling.
        n_steps: Steps of the solution, on an even grid.
        method: `euler`, `midpoint` or `rk4`.

    Raises:
        ValueError: if the block is not so.
    """

    def __init__(self, model: NoPropCT, *, n_steps: int = 20, method: str = "euler") -> None:
        super().__init__()
        if not (hasattr(model.block, "encode") and hasattr(model.block, "denoise")):
            raise ValueError("the adjoint method needs a block with encode(x) and denoise(features, z, t)")
        if n_steps < 1:
            raise ValueError(f"a solution needs at least 1 step, not {n_steps}")
        model.is_ode = True
        self.field = _Field(model)
        self.n_steps, self.method = n_steps, method

    @property
    def model(self) -> NoPropCT:
        """The model."""
        return self.field.model

    def solve(self, x: Float[Tensor, "batch *sample"], z: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """The state at t = 1, with gradients by the adjoint method."""
        from torchdiffeq import odeint_adjoint

        features = self.model.block.encode(x)  # type: ignore[operator] # a method
        times = z.new_tensor([0.0, 1.0])
        options = {"step_size": 1 / self.n_steps}
        states, _ = odeint_adjoint(self.field, (z, features), times, method=self.method, options=options)
        return states[-1]

    def loss(
        self, x: Float[Tensor, "batch *sample"], y: Int[Tensor, "batch"], generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """-log p(y | z(1)) from z(0) ~ N(0, I).

        Args:
            x: Samples.
            y: Their classes.
            generator: Draws the states at the beginning.
        """
        z = make_noise(generator)(self.model.embedding.weight.new_zeros(len(x), self.model.embedding.dim))
        return head_error(self.model, self.solve(x, z), y)

    def forward(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch classes"]:
        """The logits of the solution that begins at zero."""
        z = no_noise(self.model.embedding.weight.new_zeros(len(x), self.model.embedding.dim))
        return self.model.head(self.solve(x, z), self.model.embedding)
