"""The command `bounds`."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bab_verify.api import compute_bounds
from bab_verify.frontends.loading import load_onnx
from bab_verify.graph import Graph
from bab_verify.intervals import Interval
from bab_verify.search.device import device_from_name
from separata import files
from separata.output import Output, finite

from .outputs import check_output


@dataclass(frozen=True)
class Region:
    """A box around a point, or between two corners.

    Args:
        center: File of the point, .npy.
        eps: Largest distance from it in each input.
        lower: File of smallest inputs.
        upper: File of largest inputs.
    """

    center: Path | None
    eps: float | None
    lower: Path | None
    upper: Path | None

    def box(self, graph: Graph) -> Interval:
        """The box, (1, inputs)."""
        given = tuple(x is not None for x in (self.center, self.eps, self.lower, self.upper))
        if given == (True, True, False, False):
            assert self.center is not None and self.eps is not None  # noqa: S101, PT018 - for the type checker
            if not 0 <= self.eps < math.inf:
                raise ValueError(f"eps must be a number that is not negative, not {self.eps}")
            center = read_array(self.center, graph)
            return Interval(center - self.eps, center + self.eps)
        if given != (False, False, True, True):
            raise ValueError("give a box, with --center and --eps, or with --lower and --upper")
        assert self.lower is not None and self.upper is not None  # noqa: S101, PT018 - for the type checker
        return Interval(read_array(self.lower, graph), read_array(self.upper, graph))


def read_array(path: Path, graph: Graph) -> Tensor:
    """An input of a network from an .npy file, (1, inputs), in float64.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is something else, or does not fit the network.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        array = files.load_array(path)
    except ValueError:
        raise ValueError(f"{path}: not an .npy file of numbers") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path}: not an .npy file of numbers")
    wanted = graph.input_shape
    fits = array.ndim == 1 or [n for n in array.shape if n != 1] == [n for n in wanted if n != 1]
    if array.size != graph.n_inputs or not fits:
        raise ValueError(f"{path}: its shape is {list(array.shape)}, but the network takes {list(wanted)}")
    values = torch.from_numpy(array.reshape(1, -1).astype(np.float64))
    if not bool(values.isfinite().all()):
        raise ValueError(f"{path}: it holds NaN or infinity")
    return values


def bounds(network: Path, region: Region, method: str, device: str, out: Path | None) -> Output:
    """Bounds of the outputs over a box."""
    check_output(out)
    place = device_from_name(device)
    graph = load_onnx(network, torch.float64)
    box = region.box(graph)
    found = compute_bounds(graph, box.lower.to(place), box.upper.to(place), method=method)
    lower, upper = (x[0].cpu() for x in found)
    if out is not None:
        with files.replacing(out) as part, part.open("wb") as stream:
            arrays = {"lower": lower, "upper": upper, "x_lower": box.lower[0], "x_upper": box.upper[0]}
            np.savez(stream, allow_pickle=False, **{name: x.numpy() for name, x in arrays.items()})
    pairs = list(zip(lower.tolist(), upper.tolist(), strict=True))
    rows = [f"{f'Y_{j}':<8}{low:>14.6g}{high:>14.6g}" for j, (low, high) in enumerate(pairs)]
    value = {
        "method": method,
        "lower": [finite(low) for low, _ in pairs],
        "upper": [finite(high) for _, high in pairs],
    }
    return Output(value, "\n".join([f"{'output':<8}{'lower':>14}{'upper':>14}", *rows]))
