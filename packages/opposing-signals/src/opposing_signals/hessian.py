"""Sharpness: the largest eigenvalues of the Hessian of the mean loss, by Lanczos on Hessian-vector products."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from .gradients import flat, trained_parameters
from .losses import LossFunction, chunks, kept_buffers, loss_function, one_each

FRESH = 0.05
"""Share of noise in a warm start, without which a new leading eigenvector would never be seen."""


class HessianOperator:
    """Products of the Hessian of the mean loss with vectors, by two backward passes; exact, in chunks of samples.

    Where all samples are one chunk, the graph of the gradient is built once and serves all products. The parameters
    must not change while the operator is used; `close` lets go of the graph.

    Args:
        model: The network, in the mode in which it trains; its running statistics are kept.
        x: Samples.
        y: Targets.
        loss: `mse`, `cross-entropy`, or a function with one loss for each example.
        batch_size: Samples of a chunk; all at once by default.

    Raises:
        ValueError: if nothing is trained, or the loss gives one number for a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Shaped[Tensor, "n *sample"],
        y: Shaped[Tensor, "n *target"],
        loss: str | LossFunction = "cross-entropy",
        batch_size: int | None = None,
    ) -> None:
        self._model, self._x, self._y = model, x, y
        self._loss, self._batch_size = loss_function(loss), batch_size
        self._parameters = trained_parameters(model)
        self.n_parameters = sum(one.numel() for one in self._parameters)
        self.n_products = 0
        self._graph: tuple[Tensor, ...] | None = None
        is_whole = batch_size is None or batch_size >= len(x)
        if is_whole:
            self._graph = self._gradient(slice(None))

    @property
    def like(self) -> Tensor:
        """A parameter, for the device and type of vectors."""
        return self._parameters[0]

    def _gradient(self, part: slice) -> tuple[Tensor, ...]:
        with kept_buffers(self._model), torch.enable_grad():
            x, y = self._x[part], self._y[part]
            value = one_each(self._loss(self._model(x), y), len(x)).sum() / len(self._x)
            return torch.autograd.grad(
                value, self._parameters, create_graph=True, allow_unused=True, materialize_grads=True
            )

    def __call__(self, vector: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """The product with a vector."""
        self.n_products += 1
        pieces = torch.split(vector, [one.numel() for one in self._parameters])
        shaped = [piece.view_as(one) for piece, one in zip(pieces, self._parameters, strict=True)]
        if self._graph is not None:
            return self._product(self._graph, shaped, keep=True)
        total = torch.zeros_like(vector)
        for part in chunks(len(self._x), self._batch_size):
            total += self._product(self._gradient(part), shaped, keep=False)
        return total

    def _product(self, gradient: tuple[Tensor, ...], vector: list[Tensor], *, keep: bool) -> Tensor:
        # A gradient that does not depend on the parameters, as of a bias behind a linear loss, has no graph.
        pairs = [(one, v) for one, v in zip(gradient, vector, strict=True) if one.requires_grad]
        if not pairs:
            return torch.zeros(self.n_parameters, device=self.like.device, dtype=self.like.dtype)
        found = torch.autograd.grad(
            [one for one, _ in pairs],
            self._parameters,
            [v for _, v in pairs],
            retain_graph=keep,
            allow_unused=True,
            materialize_grads=True,
        )
        return flat(found)

    def close(self) -> None:
        """Let go of the graph."""
        self._graph = None


@dataclass(frozen=True, eq=False)
class SharpnessReport:
    """The largest eigenvalues of a Hessian.

    Attributes:
        eigenvalues: The k largest by value (not by size), in falling order.
        eigenvectors: A row for each, of unit norm.
        residuals: |H v - lambda v| / |lambda| of each, measured with another product.
        n_products: Hessian-vector products that it took.
    """

    eigenvalues: Float[Tensor, "k"]
    eigenvectors: Float[Tensor, "k p"]
    residuals: Float[Tensor, "k"]
    n_products: int

    @property
    def value(self) -> float:
        """The largest."""
        return float(self.eigenvalues[0])


def sharpness(
    model: nn.Module,
    x: Shaped[Tensor, "n *sample"],
    y: Shaped[Tensor, "n *target"],
    loss: str | LossFunction = "cross-entropy",
    *,
    k: int = 1,
    tol: float = 1e-3,
    max_products: int = 100,
    v0: Float[Tensor, "_ p"] | Float[Tensor, "p"] | None = None,
    batch_size: int | None = None,
    generator: torch.Generator | None = None,
) -> SharpnessReport:
    """The k largest eigenvalues of the Hessian of the mean loss.

    Gradient descent with learning rate eta is stable along an eigenvector only while its eigenvalue is below 2 / eta.

    Args:
        model: The network.
        x: Samples.
        y: Targets.
        loss: `mse`, `cross-entropy`, or a function with one loss for each example.
        k: Eigenvalues.
        tol: Residual relative to the largest eigenvalue at which the iteration ends.
        max_products: Hessian-vector products at which it ends at the latest.
        v0: Vectors to begin with, as those that were found some steps before.
        batch_size: Samples of a chunk; all at once by default.
        generator: Draws the first vector; from the seed 0 by default.

    Raises:
        ValueError: if nothing is trained, a number is out of range, or the Hessian is not finite.
    """
    operator = HessianOperator(model, x, y, loss, batch_size)
    if not 1 <= k <= operator.n_parameters:
        raise ValueError(f"k must lie between 1 and the number of parameters, {operator.n_parameters}, not {k}")
    if not tol > 0 or max_products < k:
        raise ValueError(f"tol must be positive and max_products at least k, not {tol} and {max_products}")
    start = torch.randn(operator.n_parameters, generator=generator or torch.Generator().manual_seed(0))
    start = start.to(operator.like) / start.norm().to(operator.like)
    if v0 is not None:
        if v0.shape[-1] != operator.n_parameters:
            raise ValueError(f"v0 has {v0.shape[-1]} numbers, but the model has {operator.n_parameters} parameters")
        warm = v0.to(operator.like).reshape(-1, operator.n_parameters).sum(0)
        start = warm / warm.norm().clamp(min=1e-30) + FRESH * start
    values, vectors = lanczos(operator, start, k, tol, max_products)
    products = torch.stack([operator(v) for v in vectors])
    n_products = operator.n_products
    operator.close()
    residuals = (products - values[:, None] * vectors).norm(dim=1) / values.abs().clamp(min=1e-30)
    return SharpnessReport(values, vectors, residuals, n_products)


def lanczos(
    operator: HessianOperator, start: Float[Tensor, "p"], k: int, tol: float, max_products: int
) -> tuple[Float[Tensor, "k"], Float[Tensor, "k p"]]:
    """Lanczos iteration with full reorthogonalization: the largest eigenvalues by value, and their vectors.

    Power iteration would find the largest by size, which may be negative early in training.
    """
    most = min(max_products, operator.n_parameters)
    basis = torch.empty(most, len(start), device=start.device, dtype=start.dtype)
    diagonal: list[float] = []
    off: list[float] = []
    vector = start / start.norm()
    values, inner = torch.zeros(1), torch.ones(1, 1)
    for i in range(most):
        basis[i] = vector
        product = operator(vector)
        if not product.isfinite().all():
            raise ValueError("the Hessian is not finite: the training has diverged")
        diagonal.append(float(product @ vector))
        for _ in range(2):
            product = product - basis[: i + 1].T @ (basis[: i + 1] @ product)
        size = float(product.norm())
        if i + 1 >= k and (i % 2 or i + 1 == most or size == 0):
            values, inner = _tridiagonal(diagonal, off)
            scale = float(values[-k:].abs().max()) or 1.0
            is_settled = i + 1 >= min(k + 3, most) and float((size * inner[-1, -k:]).abs().max()) <= tol * scale
            if is_settled or size <= 1e-12 * scale or i + 1 == most:
                break
        if size <= 1e-12 * max(map(abs, diagonal)):
            # All that the first vector leads to is found; go on from another that is orthogonal to it.
            size, product = 0.0, torch.randn(len(start), generator=torch.Generator().manual_seed(i + 1)).to(start)
            for _ in range(2):
                product = product - basis[: i + 1].T @ (basis[: i + 1] @ product)
        off.append(size)
        vector = product / product.norm()
    found = inner[:, -k:].flip(1).T.to(start) @ basis[: len(diagonal)]
    return values[-k:].flip(0).to(start), torch.nn.functional.normalize(found, dim=1)


def _tridiagonal(diagonal: list[float], off: list[float]) -> tuple[Tensor, Tensor]:
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if len(diagonal) > 1:
        side = torch.diag(torch.tensor(off[: len(diagonal) - 1], dtype=torch.float64), 1)
        matrix = matrix + side + side.T
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors


class SharpnessTracker:
    """Measures the sharpness now and then in a training, each time beginning with the vectors of the last.

    Args:
        model: The network.
        x: Samples.
        y: Targets.
        loss: `mse`, `cross-entropy`, or a function with one loss for each example.
        k: Eigenvalues.
        tol: Residual at which the iteration ends.
        max_products: Hessian-vector products of a measurement at most.
        batch_size: Samples of a chunk.

    Attributes:
        vectors: The eigenvectors that were found last.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Shaped[Tensor, "n *sample"],
        y: Shaped[Tensor, "n *target"],
        loss: str | LossFunction = "cross-entropy",
        *,
        k: int = 1,
        tol: float = 1e-2,
        max_products: int = 40,
        batch_size: int | None = None,
    ) -> None:
        self._given = (model, x, y, loss)
        self._k, self._tol, self._max, self._batch_size = k, tol, max_products, batch_size
        self.vectors: Float[Tensor, "k p"] | None = None

    def measure(self) -> SharpnessReport:
        """The sharpness with the parameters as they are."""
        found = sharpness(
            *self._given,
            k=self._k,
            tol=self._tol,
            max_products=self._max,
            v0=self.vectors,
            batch_size=self._batch_size,
        )
        self.vectors = found.eigenvectors
        return found
