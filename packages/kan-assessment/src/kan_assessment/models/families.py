"""The families of models that come with the package, and those of its sister packages."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from . import formulas
from .bspline_kan import BSplineKAN, PerEdgeKAN
from .bspline_mlp import BSplineMLP
from .family import DEPTH, ModelFamily
from .formulas import Sharing
from .mlp import MLP

GRIDS = (5, 3, 10, 20)
ORDERS = (3, 2)
RANGES = (1.0, 2.0, 4.0)
N_BASIS = (8, 6, 12)
SINGLE = {"chebyshev": "Chebyshev KAN", "fourier": "Fourier KAN", "wavelet": "wavelet KAN"}
"""Families of s-kan's `KAN` with one kind of basis."""
FEWEST_NORMALIZED = 8


def make_mlp(
    in_features: int, hidden: Sequence[int], out_features: int, *, activation: str = "relu", batch_norm: bool = False
) -> nn.Module:
    """A multilayer perceptron."""
    return MLP([in_features, *hidden, out_features], activation=activation, batch_norm=batch_norm)


def make_bspline_kan(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    grid: int = 5,
    order: int = 3,
    base: str = "silu",
    grid_range: float = 1.0,
) -> nn.Module:
    """A B-spline KAN, with the basis evaluated once per input."""
    widths = [in_features, *hidden, out_features]
    return BSplineKAN(widths, grid=grid, order=order, base=base, grid_range=grid_range)


def make_per_edge_kan(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    grid: int = 5,
    order: int = 3,
    base: str = "silu",
    grid_range: float = 1.0,
) -> nn.Module:
    """A B-spline KAN, with every spline evaluated on its own."""
    widths = [in_features, *hidden, out_features]
    return PerEdgeKAN(widths, grid=grid, order=order, base=base, grid_range=grid_range)


def make_bspline_mlp(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    grid: int = 5,
    order: int = 3,
    grid_range: float = 1.0,
) -> nn.Module:
    """An MLP with a spline after each linear map but the last."""
    return BSplineMLP([in_features, *hidden, out_features], grid=grid, order=order, grid_range=grid_range)


def make_bspline_first_mlp(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    grid: int = 5,
    order: int = 3,
    grid_range: float = 1.0,
) -> nn.Module:
    """An MLP with a spline before each linear map."""
    widths = [in_features, *hidden, out_features]
    return BSplineMLP(widths, grid=grid, order=order, grid_range=grid_range, first=True)


def make_af_kan(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    grid: int = 3,
    order: int = 3,
    activation: str = "silu",
    norm: str = "",
) -> nn.Module:
    """An activation-function KAN of the package af-kan."""
    from af_kan import AFKAN

    widths = [in_features, *hidden, out_features]
    return AFKAN(widths, grid_size=grid, order=order, activation=activation, norm=norm or usual_norm(widths))


def make_rbf_kan(
    in_features: int, hidden: Sequence[int], out_features: int, *, grid: int = 8, norm: str = ""
) -> nn.Module:
    """A KAN of Gaussian bumps on [-2, 2] (FastKAN), of the package af-kan."""
    from af_kan import RBFKAN

    widths = [in_features, *hidden, out_features]
    return RBFKAN(widths, centers=grid, norm=norm or usual_norm(widths))  # type: ignore[arg-type] # checked there


def usual_norm(widths: Sequence[int]) -> str:
    """How the inputs of layers are normalized in networks that are published with layer normalization.

    Where a layer has few inputs, they are not: of a single one nothing would be left, and of two only which is larger.
    """
    return "layer" if min(widths[:-1]) >= FEWEST_NORMALIZED else "none"


def make_s_kan(in_features: int, hidden: Sequence[int], out_features: int, *, grid: int = 8) -> nn.Module:
    """A selectable KAN of the package s-kan; which basis each node keeps is decided while it is trained."""
    from s_kan import SKAN

    return SKAN([in_features, *hidden, out_features], n_basis=grid)


def _make_single(basis: str) -> Callable[..., nn.Module]:
    def make(in_features: int, hidden: Sequence[int], out_features: int, *, grid: int = 8) -> nn.Module:
        """A KAN of the package s-kan with one kind of basis."""
        from s_kan import KAN

        widths = [in_features, *hidden, out_features]
        return KAN(widths, basis=basis, n_basis=grid)

    return make


def make_pykan(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    grid: int = 5,
    order: int = 3,
    grid_range: float = 1.0,
) -> nn.Module:
    """A KAN of the library pykan, without its symbolic branch."""
    from separata import extras

    extras.require("kan", extra="kan-assessment[pykan]")
    from kan import KAN

    widths = [in_features, *hidden, out_features]
    model: nn.Module = KAN(
        width=widths,
        grid=grid,
        k=order,
        grid_range=[-grid_range, grid_range],
        symbolic_enabled=False,
        auto_save=False,
        save_act=False,
    )
    # The numbers of the branch that is off would be counted as trained.
    model.get_submodule("symbolic_fun").requires_grad_(requires_grad=False)
    return model


def _follow_s_kan(model: nn.Module) -> Callable[[float], bool]:
    """The stages of s-kan: full, selective, pruned."""
    from s_kan import StageSchedule

    schedule = StageSchedule()
    return lambda progress: schedule.step(model, min(1.0, progress)).has_pruned


def _groups_s_kan(model: nn.Module, lr: float) -> list[dict[str, Any]]:
    """The logits of s-kan's weights learn at a rate of their own."""
    from s_kan import parameter_groups

    return parameter_groups(model, lr)


def _pruned(model: nn.Module) -> nn.Module:
    """A selectable KAN once each node has kept one basis, nodes the bases in turn.

    All choices leave as many parameters; the more bases a layer keeps, the more FLOPs they take.
    """
    from s_kan import selectable_layers

    pruned = copy.deepcopy(model)
    for layer in selectable_layers(pruned):
        kept = torch.zeros_like(layer.kept)
        kept[torch.arange(kept.shape[1]) % len(kept), torch.arange(kept.shape[1])] = True
        layer.keep(kept)
    return pruned


def _kan_flops(widths: Sequence[int], sharing: Sharing = "naive", **settings: Any) -> float:  # noqa: ANN401 - of any kind
    usual: dict[str, Any] = {"grid": 5, "order": 3, "base": "silu", **settings}
    return formulas.kan_flops(widths, usual["grid"], usual["order"], usual["base"], sharing)


def _mlp_flops(widths: Sequence[int], sharing: Sharing = "naive", **settings: Any) -> float:  # noqa: ANN401 - of any kind
    del sharing
    return formulas.mlp_flops(widths, settings.get("activation", "relu"), batch_norm=settings.get("batch_norm", False))


def _bspline_mlp_flops(widths: Sequence[int], sharing: Sharing = "naive", **settings: Any) -> float:  # noqa: ANN401
    del sharing
    return formulas.bspline_mlp_flops(widths, settings.get("grid", 5), settings.get("order", 3))


def _bspline_first_flops(widths: Sequence[int], sharing: Sharing = "naive", **settings: Any) -> float:  # noqa: ANN401
    del sharing
    return formulas.bspline_mlp_flops(widths, settings.get("grid", 5), settings.get("order", 3), first=True)


KAN_SPACE: Mapping[str, Sequence[Any]] = {
    DEPTH: (1, 2),
    "grid": GRIDS,
    "order": ORDERS,
    "base": ("silu", "identity", "zero"),
    "grid_range": RANGES,
}
SPLINE_SPACE: Mapping[str, Sequence[Any]] = {"grid": GRIDS, "order": ORDERS, "grid_range": RANGES}

FAMILIES: tuple[ModelFamily, ...] = (
    ModelFamily(
        "mlp",
        make_mlp,
        "MLP",
        _mlp_flops,
        {DEPTH: (2, 1, 3), "activation": ("gelu", "relu", "silu")},
        is_batched=True,
    ),
    ModelFamily("bspline_kan", make_bspline_kan, "B-spline KAN", _kan_flops, KAN_SPACE, is_batched=True),
    ModelFamily(
        "per_edge_kan", make_per_edge_kan, "B-spline KAN, edge by edge", _kan_flops, KAN_SPACE, is_batched=True
    ),
    # As deep as the MLP usually is, so that only the activation is another one; and with as many layers of splines as a
    # KAN with one hidden layer has.
    ModelFamily(
        "bspline_mlp",
        make_bspline_mlp,
        "B-spline MLP",
        _bspline_mlp_flops,
        {DEPTH: (2, 1), **SPLINE_SPACE},
        is_batched=True,
    ),
    ModelFamily(
        "bspline_first_mlp",
        make_bspline_first_mlp,
        "B-spline-first MLP",
        _bspline_first_flops,
        {DEPTH: (1, 2), **SPLINE_SPACE},
        is_batched=True,
    ),
    ModelFamily("rbf_kan", make_rbf_kan, "RBF KAN (FastKAN)", None, {DEPTH: (1, 2), "grid": N_BASIS}, is_batched=True),
    *(
        ModelFamily(
            f"{basis}_kan",
            _make_single(basis),
            label,
            None,
            {DEPTH: (1, 2), "grid": N_BASIS},
            is_batched=True,
        )
        for basis, label in SINGLE.items()
    ),
    ModelFamily(
        "af_kan",
        make_af_kan,
        "AF-KAN",
        None,
        {DEPTH: (1, 2), "grid": (3, 5), "order": (3, 2), "activation": ("silu", "relu")},
    ),
    ModelFamily(
        "s_kan",
        make_s_kan,
        "S-KAN",
        None,
        {DEPTH: (1, 2), "grid": N_BASIS},
        follow=_follow_s_kan,
        groups=_groups_s_kan,
        final=_pruned,
    ),
    ModelFamily("pykan", make_pykan, "pykan", None, {DEPTH: (1, 2), "grid": GRIDS, "order": ORDERS}),
)
"""All that come with the package."""
