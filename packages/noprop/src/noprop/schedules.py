"""Noise schedules in discrete time, and the posterior of a state between two noise levels.

A state at time t is z_t ~ N(sqrt(abar_t) u_y, (1 - abar_t) I): noise at t = 0, nearly the class embedding u_y at t = T.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def posterior_between(
    early: Float[Tensor, "*steps"], late: Float[Tensor, "*steps"]
) -> tuple[Float[Tensor, "*steps"], Float[Tensor, "*steps"], Float[Tensor, "*steps"]]:
    """The coefficients of q(z_late | z_early, u) = N(a u + b z_early, c I) (the paper's section on the model).

    With alpha = abar_early / abar_late,

        a = sqrt(abar_late) (1 - alpha) / (1 - abar_early)
        b = sqrt(alpha) (1 - abar_late) / (1 - abar_early)
        c = (1 - abar_late) (1 - alpha) / (1 - abar_early)

    Args:
        early: abar of the noisier states, in (0, 1).
        late: abar of the cleaner states, not smaller.

    Returns:
        a, b and c, each of the shape of the arguments.
    """
    alpha = early / late
    a = late.sqrt() * (1 - alpha) / (1 - early)
    b = alpha.sqrt() * (1 - late) / (1 - early)
    c = (1 - late) * (1 - alpha) / (1 - early)
    return a, b, c


class Schedule:
    """Any noise schedule in discrete time. Numbers are kept in double precision, on the CPU.

    Args:
        abar: abar_0, ..., abar_T: strictly increasing, all between 0 and 1. One and zero are excluded, since the
            signal-to-noise ratio abar / (1 - abar) must be finite and positive.

    Attributes:
        abar: The numbers, float64, of shape (T + 1,).

    Raises:
        ValueError: if they are not so, or fewer than two.
    """

    def __init__(self, abar: Sequence[float] | Float[Tensor, "levels"]) -> None:
        self.abar = torch.as_tensor(abar, dtype=torch.float64).detach().cpu().clone()
        if self.abar.ndim != 1 or len(self.abar) < 2:
            raise ValueError(f"a schedule needs the numbers abar_0 to abar_T, at least two, not {self.abar.tolist()}")
        outside = [value for value in self.abar.tolist() if not 0 < value < 1]
        if outside:
            raise ValueError(f"every abar must lie between 0 and 1, not be one of them: got {outside[0]}")
        falls = (self.abar.diff() <= 0).nonzero()
        if len(falls):
            at = int(falls[0])
            raise ValueError(
                f"abar must increase strictly: abar_{at + 1} = {self.abar[at + 1]:g} follows {self.abar[at]:g}"
            )
        self._coefficients = torch.stack(posterior_between(self.abar[:-1], self.abar[1:]), 1).tolist()

    @property
    def n_steps(self) -> int:
        """The number of steps T."""
        return len(self.abar) - 1

    @property
    def snr(self) -> Float[Tensor, "levels"]:
        """Signal-to-noise ratios SNR(0), ..., SNR(T), abar / (1 - abar)."""
        return self.abar / (1 - self.abar)

    @property
    def snr_steps(self) -> Float[Tensor, "steps"]:
        """SNR(t) - SNR(t - 1) for t = 1, ..., T: the weights of the denoising loss."""
        return self.snr.diff()

    @property
    def alpha(self) -> Float[Tensor, "steps"]:
        """alpha_{t-1} = abar_{t-1} / abar_t for t = 1, ..., T: q(z_{t-1} | z_t) = N(sqrt(alpha) z_t, (1 - alpha) I)."""
        return self.abar[:-1] / self.abar[1:]

    def posterior_coefficients(self, t: int) -> tuple[float, float, float]:
        """(a_t, b_t, c_t) of the step from z_{t-1} to z_t; see `posterior_between`.

        Args:
            t: The step, 1 to T.

        Raises:
            ValueError: if there is no such step.
        """
        self.check_step(t)
        a, b, c = self._coefficients[t - 1]
        return a, b, c

    def check_step(self, t: int) -> None:
        """Refuse the number of a step that is not there.

        Raises:
            ValueError: if it is not one of 1 to T.
        """
        if not 1 <= t <= self.n_steps:
            raise ValueError(f"the steps are numbered 1 to {self.n_steps}; there is no step {t}")

    def noisy(
        self, t: int, u: Float[Tensor, "batch dim"], noise: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch dim"]:
        """A state z_t ~ q(z_t | y) = N(sqrt(abar_t) u, (1 - abar_t) I), in closed form.

        Args:
            t: The time, 0 to T. The block of step t is trained on states of time t - 1.
            u: Embeddings of the classes.
            noise: Standard normal numbers.
        """
        abar = float(self.abar[t])
        return math.sqrt(abar) * u + math.sqrt(1 - abar) * noise


class CosineSchedule(Schedule):
    """abar_t = cos²(π/2 · (T - t + end) / (T + begin + end)), t = 0, ..., T.

    The paper fixes a cosine schedule without its offsets; with both of 1, every signal-to-noise ratio is finite, and
    abar runs from 0.017 to 0.983 at T = 10.

    Args:
        n_steps: The number of steps T.
        begin: Offset at the noisy end; a larger one begins with less noise.
        end: Offset at the clean end; a larger one ends with more noise.

    Raises:
        ValueError: if there is no step, or an offset is not positive.
    """

    def __init__(self, n_steps: int = 10, begin: float = 1.0, end: float = 1.0) -> None:
        if n_steps < 1:
            raise ValueError(f"a schedule needs at least 1 step, not {n_steps}")
        if not (begin > 0 and end > 0):
            raise ValueError(f"the offsets of a cosine schedule must be positive, not {begin} and {end}")
        left = torch.arange(n_steps, -1, -1, dtype=torch.float64) + end
        super().__init__(torch.cos(math.pi / 2 * left / (n_steps + begin + end)).square())
