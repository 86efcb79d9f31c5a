"""A linear layer with a branch."""

import math
from importlib import import_module
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .branch import NonlinearLowRankBranch
from .configs import BranchConfig

Path = Literal["naive", "fused"]


class BranchedLinear(nn.Module):
    """`y = x W + b + sigma(x W_down) W_up`: a linear layer with a nonlinear low-rank branch.

    Its `weight` and `bias` have the names and shapes of the layer that it replaces, so that a checkpoint of the plain
    network fits; see `load_plain`.

    There are two ways to compute the same. `"naive"` computes layer and branch one after the other; while `W_up` is
    zero, its output is that of the plain layer bit for bit. `"fused"` takes `x W` and `x W_down` from one product, and
    has the last product added to the output as it is computed; as it copies the weight at each call, it is faster only
    where a batch has more rows than the layer has inputs.

    Args:
        in_features: Width of the input, D.
        out_features: Width of the output, O.
        rank: Width of the bottleneck, r.
        config: Activation and initialization of the branch.
        bias: Whether there is a bias.
        transposed: Whether `weight` has the shape (in_features, out_features), as in the `Conv1D` of transformers.
        path: `"naive"` or `"fused"`.
        device: Where the parameters are made.
        dtype: Their type.

    Raises:
        ValueError: if the rank is not between 1 and both widths, or there is no such path.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        config: BranchConfig | None = None,
        *,
        bias: bool = True,
        transposed: bool = False,
        path: str = "naive",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if path not in get_args(Path):
            raise ValueError(f"path must be one of {', '.join(get_args(Path))}, not {path!r}")
        self.branch = NonlinearLowRankBranch(in_features, out_features, rank, config, device=device, dtype=dtype)
        self.in_features, self.out_features = in_features, out_features
        self.transposed, self.path = transposed, path
        shape = (in_features, out_features) if transposed else (out_features, in_features)
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype).uniform_(-bound, bound))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype).uniform_(-bound, bound))

    @classmethod
    def from_linear(
        cls, linear: nn.Linear, rank: int, config: BranchConfig | None = None, *, path: str = "naive"
    ) -> "BranchedLinear":
        """Add a branch to a layer; its parameters are shared, not copied.

        Raises:
            ValueError: if the rank is not between 1 and both widths.
        """
        return cls._around(linear, linear.in_features, linear.out_features, rank, config, transposed=False, path=path)

    @classmethod
    def from_conv1d(
        cls, conv: nn.Module, rank: int, config: BranchConfig | None = None, *, path: str = "naive"
    ) -> "BranchedLinear":
        """Add a branch to a `transformers.pytorch_utils.Conv1D`, a linear layer with its weight transposed (GPT-2).

        Raises:
            ValueError: if the rank is not between 1 and both widths, or the module has no matrix as its weight.
        """
        weight = getattr(conv, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2:
            raise ValueError(
                f"expected the Conv1D of transformers, whose weight is a matrix, not {type(conv).__name__}"
            )
        n_in, n_out = weight.shape
        return cls._around(conv, n_in, n_out, rank, config, transposed=True, path=path)

    @classmethod
    def _around(
        cls,
        layer: nn.Module,
        n_in: int,
        n_out: int,
        rank: int,
        config: BranchConfig | None,
        *,
        transposed: bool,
        path: str,
    ) -> "BranchedLinear":
        weight, bias = layer.weight, layer.bias
        # The branch is made on the CPU in float32, so that the same seed gives the same branch everywhere.
        made = cls(n_in, n_out, rank, config, bias=False, transposed=transposed, path=path)
        made.branch.to(weight)  # type: ignore[arg-type]
        made.weight = weight  # type: ignore[assignment]
        made.bias = bias  # type: ignore[assignment]
        return made.train(layer.training)

    def to_plain(self) -> nn.Module:
        """The layer without its branch; its parameters are shared."""
        if self.transposed:
            # Where a network has a Conv1D, transformers is installed.
            plain: nn.Module = import_module("transformers.pytorch_utils").Conv1D(self.out_features, self.in_features)
        else:
            plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        plain.weight = self.weight
        plain.bias = self.bias  # type: ignore[assignment]
        return plain.train(self.training)

    def forward(self, x: Float[Tensor, "*batch {self.in_features}"]) -> Float[Tensor, "*batch {self.out_features}"]:
        """The layer's output and the branch's, added."""
        weight = self.weight.T if self.transposed else self.weight
        if self.path == "naive":
            return F.linear(x, weight, self.bias) + self.branch(x)
        rows = x.reshape(-1, self.in_features)
        wide = torch.cat([weight, self.branch.down])
        bias = None if self.bias is None else F.pad(self.bias, (0, self.branch.rank))
        both = F.linear(rows, wide, bias)
        y, h = both.split([self.out_features, self.branch.rank], dim=1)
        y = torch.addmm(y, self.branch.activation(h), self.branch.up.T)
        return y.reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """The shape, and how it is computed."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, path={self.path!r}"
