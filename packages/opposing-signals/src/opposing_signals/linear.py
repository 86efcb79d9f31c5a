"""The two-layer linear network on inputs with rare, large signals of either sign: what can be computed about it."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, "_"]


@dataclass(frozen=True, eq=False)
class LinearState:
    """Weights of the network f(x) = c (b_k' x_k + b_o' x_o).

    Attributes:
        b_k: Weights of the signal's inputs, (d1,).
        b_o: Weights of the outliers' inputs, (d2,).
        c: Weight of the second layer; a number.
    """

    b_k: Vector
    b_o: Vector
    c: float

    @property
    def o(self) -> float:
        """1' b_o / sqrt(d2): how strongly the network looks at the outliers' signal."""
        return float(self.b_o.sum() / math.sqrt(len(self.b_o)))

    def vector(self) -> Vector:
        """All weights in a row: b_k, b_o, c."""
        return np.concatenate([self.b_k, self.b_o, [self.c]])


@dataclass(frozen=True, eq=False)
class LinearTrajectory:
    """A training, before each step and after the last.

    Attributes:
        times: Steps, or times of the gradient flow.
        loss: Loss, without the constant that no linear network can remove.
        curvature: Curvature along the outliers' direction, alpha c^2.
        sharpness: Largest eigenvalue of the Hessian of all weights.
        o: Weight of the outliers' signal.
        c: Weight of the second layer.
    """

    times: Float[np.ndarray, "steps"]
    loss: Float[np.ndarray, "steps"]
    curvature: Float[np.ndarray, "steps"]
    sharpness: Float[np.ndarray, "steps"]
    o: Float[np.ndarray, "steps"]
    c: Float[np.ndarray, "steps"]

    @property
    def n_increases(self) -> int:
        """Steps in which the loss rises, by more than rounding."""
        return int((np.diff(self.loss) > 1e-15).sum())


class LinearOpposingModel:
    """Inputs x_k ~ N(0, I) that carry the target, and x_o, mostly zero and else one large vector or its opposite.

    x_o = +-sqrt(alpha / (p d2)) 1, each sign with probability p / 2; y = beta' x_k + |1' x_o| / sqrt(d2). The target
    does not depend on the sign of x_o, so that no linear function of it helps: the two signs are opposing signals. With
    o = 1' b_o / sqrt(d2), the population loss is L = 1/2 (|c b_k - beta|^2 + alpha c^2 o^2) and a constant.

    Args:
        d1: Inputs of the signal.
        d2: Inputs of the outliers.
        alpha: Size of the outliers, E |x_o|^2.
        p: Probability of an outlier; smaller means rarer and larger.
        beta: Weights of the target, (d1,); the first unit vector by default.

    Raises:
        ValueError: if alpha is not positive, p is not in (0, 1], or a number of inputs not positive.
    """

    def __init__(
        self, d1: int = 2, d2: int = 1, alpha: float = 20.0, p: float = 0.1, beta: Vector | None = None
    ) -> None:
        if d1 < 1 or d2 < 1:
            raise ValueError(f"the numbers of inputs must be at least 1, not {d1} and {d2}")
        if not (alpha > 0 and math.isfinite(alpha)):
            raise ValueError(f"alpha must be positive, not {alpha}")
        if not 0 < p <= 1:
            raise ValueError(f"p must be positive and at most 1, not {p}")
        self.d1, self.d2, self.alpha, self.p = d1, d2, alpha, p
        self.beta = np.eye(d1)[0] if beta is None else np.asarray(beta, float)
        if self.beta.shape != (d1,):
            raise ValueError(f"beta has {d1} numbers, not the shape {self.beta.shape}")

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n"]]:
        """Inputs (x_k, x_o), d = d1 + d2, and targets of n examples."""
        x_k = rng.normal(size=(n, self.d1))
        sign = rng.choice([-1.0, 0.0, 1.0], size=n, p=[self.p / 2, 1 - self.p, self.p / 2])
        x_o = sign[:, None] * np.full(self.d2, math.sqrt(self.alpha / (self.p * self.d2)))
        y = x_k @ self.beta + np.abs(x_o.sum(1)) / math.sqrt(self.d2)
        return np.concatenate([x_k, x_o], 1), y

    def start(self, along: float = 0.1, across: float = 0.05, o: float = 0.3, c: float = 0.1) -> LinearState:
        """A small first state: b_k with a part along beta and one across it, b_o along 1, and c."""
        unit = self.beta / (np.linalg.norm(self.beta) or 1.0)
        b_k = along * unit
        if self.d1 > 1:
            other = np.eye(self.d1)[np.argmin(np.abs(unit))]
            other = other - (other @ unit) * unit
            b_k = b_k + across * other / np.linalg.norm(other)
        return LinearState(b_k, np.full(self.d2, o / math.sqrt(self.d2)), c)

    def loss(self, state: LinearState) -> float:
        """Population loss, without its constant."""
        miss = state.c * state.b_k - self.beta
        return 0.5 * float(miss @ miss + self.alpha * state.c**2 * state.o**2)

    def gradient(self, state: LinearState) -> LinearState:
        """Gradient of the population loss, in the form of a state."""
        miss, one = state.c * state.b_k - self.beta, np.full(self.d2, 1 / math.sqrt(self.d2))
        return LinearState(
            state.c * miss,
            self.alpha * state.c**2 * state.o * one,
            float(state.b_k @ miss + self.alpha * state.c * state.o**2),
        )

    def hessian(self, state: LinearState) -> Float[np.ndarray, "d d"]:
        """Hessian of the population loss in all weights, in the order b_k, b_o, c."""
        one = np.full(self.d2, 1 / math.sqrt(self.d2))
        to_k = 2 * state.c * state.b_k - self.beta
        to_o = 2 * self.alpha * state.c * state.o * one
        last = state.b_k @ state.b_k + self.alpha * state.o**2
        return np.block(
            [
                [state.c**2 * np.eye(self.d1), np.zeros((self.d1, self.d2)), to_k[:, None]],
                [np.zeros((self.d2, self.d1)), self.alpha * state.c**2 * np.outer(one, one), to_o[:, None]],
                [to_k[None], to_o[None], np.array([[last]])],
            ]
        )

    def predicted_sharpness(self, state: LinearState | None = None) -> float:
        """Curvature along the outliers' direction where the target is learned: alpha c^2 at the end of gradient flow.

        Gradient flow keeps q = c^2 - |b_k|^2 - o^2, so that c^2 = (q + sqrt(q^2 + 4 |beta|^2)) / 2 where c b_k = beta
        and o = 0; from a small first state, the sharpness becomes alpha |beta|.
        """
        start = state or LinearState(np.zeros(self.d1), np.zeros(self.d2), 0.0)
        q = start.c**2 - float(start.b_k @ start.b_k) - start.o**2
        return self.alpha * (q + math.sqrt(q * q + 4 * float(self.beta @ self.beta))) / 2

    def run_gd(
        self, eta: float, steps: int, state: LinearState | None = None, *, is_one_layer: bool = False
    ) -> LinearTrajectory:
        """Gradient descent on the population loss.

        Args:
            eta: Step size; unstable along the outliers' direction while alpha c^2 is above 2 / eta.
            steps: Steps.
            state: The first state; `start()` by default.
            is_one_layer: Keep c as it is, so that the curvature cannot change.

        Raises:
            ValueError: if the step size is not positive, or the training diverges.
        """
        if not (eta > 0 and math.isfinite(eta)) or steps < 1:
            raise ValueError(f"the step size and the number of steps must be positive, not {eta} and {steps}")
        now, states = state or self.start(), []
        for _ in range(steps):
            states.append(now)
            g = self.gradient(now)
            now = LinearState(
                now.b_k - eta * g.b_k, now.b_o - eta * g.b_o, now.c if is_one_layer else now.c - eta * g.c
            )
            if not abs(now.c) < 1e6 or not abs(now.o) < 1e9:
                raise ValueError(
                    f"the training diverges at step {len(states)}; choose a smaller step size than {eta:g}"
                )
        return self._trajectory(np.arange(steps + 1.0), [*states, now])

    def run_gd_on(
        self,
        x: Float[np.ndarray, "n d"],
        y: Float[np.ndarray, "n"],
        eta: float,
        steps: int,
        state: LinearState | None = None,
    ) -> LinearTrajectory:
        """Gradient descent on half the mean squared error of sampled data; losses are those of the population."""
        now, states = state or self.start(), []
        covariance, cross = x.T @ x / len(x), x.T @ y / len(x)
        for _ in range(steps):
            states.append(now)
            b = np.concatenate([now.b_k, now.b_o])
            slope = now.c * covariance @ b - cross
            step_b, step_c = eta * now.c * slope, eta * float(b @ slope)
            b = b - step_b
            now = LinearState(b[: self.d1], b[self.d1 :], now.c - step_c)
            if not abs(now.c) < 1e6:
                raise ValueError(
                    f"the training diverges at step {len(states)}; choose a smaller step size than {eta:g}"
                )
        return self._trajectory(np.arange(steps + 1.0), [*states, now])

    def gradient_flow(self, times: Float[np.ndarray, "steps"], state: LinearState | None = None) -> LinearTrajectory:
        """Gradient flow, the limit of small steps, at these times (step size x steps), from the first on.

        Raises:
            ValueError: if the integration fails.
        """
        from scipy.integrate import solve_ivp

        def field(_: float, weights: Vector) -> Vector:
            return -self.gradient(self._state(weights)).vector()

        first = (state or self.start()).vector()
        found = solve_ivp(field, (times[0], times[-1]), first, "LSODA", times, rtol=1e-9, atol=1e-12)
        if not found.success:
            raise ValueError(f"the gradient flow cannot be integrated: {found.message}")
        return self._trajectory(np.asarray(times, float), [self._state(weights) for weights in found.y.T])

    def _state(self, weights: Vector) -> LinearState:
        return LinearState(weights[: self.d1], weights[self.d1 : -1], float(weights[-1]))

    def _trajectory(self, times: Float[np.ndarray, "steps"], states: list[LinearState]) -> LinearTrajectory:
        c = np.array([one.c for one in states])
        hessians = np.stack([self.hessian(one) for one in states])
        return LinearTrajectory(
            times,
            np.array([self.loss(one) for one in states]),
            self.alpha * c**2,
            np.linalg.eigvalsh(hessians)[:, -1],
            np.array([one.o for one in states]),
            c,
        )
