"""Windows of convolutions and poolings: kernel, strides, dilations and padding."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from .builder import Variable, positions

Sizes = tuple[int, ...]
"""A number for each spatial dimension."""


@dataclass(frozen=True)
class Window:
    """The windows that a convolution or a pooling moves over a tensor (batch, channels, *size).

    Args:
        size: Of the tensor.
        kernel: Of a window.
        strides: From one window to the next.
        dilations: From one element of a window to the next.
        begin: Padding before the tensor.
        end: Padding after it.
    """

    size: Sizes
    kernel: Sizes
    strides: Sizes
    dilations: Sizes
    begin: Sizes
    end: Sizes

    @property
    def extent(self) -> Sizes:
        """How far a window reaches."""
        return tuple(s * (k - 1) + 1 for s, k in zip(self.dilations, self.kernel, strict=True))

    @property
    def symmetric(self) -> bool:
        """Whether padding is the same at both ends."""
        return self.begin == self.end

    def padded(self, x: Variable, mode: str = "constant") -> np.ndarray:
        """Indices of x with its padding.

        Args:
            x: The tensor.
            mode: Of `numpy.pad`: `constant` pads with -1, others with elements.
        """
        widths = ((0, 0), (0, 0), *zip(self.begin, self.end, strict=True))
        if mode != "constant":
            return np.pad(positions(x.shape), widths, mode)  # type: ignore[call-overload]
        return np.pad(positions(x.shape), widths, constant_values=-1)

    def out(self, *, ceil: bool) -> Sizes:
        """How many windows there are."""
        sizes = []
        for n, s, e, p, q in zip(self.size, self.strides, self.extent, self.begin, self.end, strict=True):
            room = n + p + q - e
            sizes.append((-(-room // s) if ceil else room // s) + 1)
            if ceil and (sizes[-1] - 1) * s >= n + p:
                sizes[-1] -= 1
        return tuple(sizes)

    def elements(self, x: Variable, *, ceil: bool) -> np.ndarray:
        """Indices of the elements in each window, (kernel elements, batch, channels, *out), with -1 for none."""
        out, index = self.out(ceil=ceil), self.padded(x)
        reach = [(o - 1) * s + e for o, s, e in zip(out, self.strides, self.extent, strict=True)]
        beyond = [(0, max(r - n, 0)) for r, n in zip(reach, index.shape[2:], strict=True)]
        index = np.pad(index, ((0, 0), (0, 0), *beyond), constant_values=-1)
        offsets = product(*(range(0, k * s, s) for k, s in zip(self.kernel, self.dilations, strict=True)))
        return np.stack(
            [
                index[
                    :,
                    :,
                    *(
                        slice(start, start + (o - 1) * s + 1, s)
                        for start, o, s in zip(offset, out, self.strides, strict=True)
                    ),
                ]
                for offset in offsets
            ]
        )

    def counts(self, x: Variable, *, ceil: bool, padding: bool) -> np.ndarray:
        """How many elements each window holds.

        Args:
            x: The tensor.
            ceil: As for `out`.
            padding: Whether padding counts; what lies beyond it never does.
        """
        out = self.out(ceil=ceil)
        if not padding:
            return np.asarray((self.elements(x, ceil=ceil) >= 0).sum(0))
        none = (0,) * len(self.size)
        size = tuple(n + p + q for n, p, q in zip(self.size, self.begin, self.end, strict=True))
        whole = Window(size, self.kernel, self.strides, self.dilations, none, none)
        inside = whole.elements(Variable(0, (*x.shape[:2], *size)), ceil=ceil) >= 0
        return np.asarray(inside.sum(0)[:, :, *(slice(n) for n in out)])
