"""Refusals that the solvers share, each in one sentence."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Number = float | Tensor
"""A number for all samples, or a tensor with one for each."""


def positive(name: str, value: Number) -> None:
    """Refuse what is not finite and above zero.

    Raises:
        ValueError: naming the quantity and its smallest value.
    """
    lowest = value.min().item() if isinstance(value, Tensor) and value.numel() else value
    if isinstance(lowest, Tensor) or not lowest > 0:
        raise ValueError(f"{name} must be positive, not {lowest}")
    finite(name, value)


def not_negative(name: str, value: Number) -> None:
    """Refuse what is not finite or below zero.

    Raises:
        ValueError: naming the quantity and its smallest value.
    """
    lowest = value.min().item() if isinstance(value, Tensor) and value.numel() else value
    if isinstance(lowest, Tensor) or not lowest >= 0:
        raise ValueError(f"{name} must not be negative, not {lowest}")
    finite(name, value)


def finite(name: str, value: Number) -> None:
    """Refuse infinities and what is not a number.

    Raises:
        ValueError: naming the quantity and, for a tensor, the first sample in which it stands.
    """
    if not isinstance(value, Tensor):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, not {value}")
        return
    good = value.isfinite()
    if not bool(good.all()):
        where = (~good).nonzero()[0].tolist()
        place = f" at index {where[0]}" if where else ""
        raise ValueError(f"{name} holds values that are not finite{place}")


def count(name: str, value: int, least: int = 1) -> None:
    """Refuse fewer than `least` of something.

    Raises:
        ValueError: naming the quantity, what it must be and what it is.
    """
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")


def increasing(name: str, values: Tensor, least: int = 2) -> None:
    """Refuse points that are not a finite, strictly increasing sequence of at least so many.

    Raises:
        ValueError: naming the points.
    """
    if values.ndim != 1 or len(values) < least:
        raise ValueError(f"{name} must be a sequence of at least {least} numbers, not of shape {tuple(values.shape)}")
    finite(name, values)
    if not bool((values.diff() > 0).all()):
        raise ValueError(f"{name} must increase strictly")


def shape(name: str, value: Tensor, expected: Sequence[int | None]) -> None:
    """Refuse a tensor of another shape; `None` stands for any length.

    Raises:
        ValueError: giving the shape that is expected and the one that is given.
    """
    given = tuple(value.shape)
    if len(given) != len(expected) or any(e is not None and e != g for g, e in zip(given, expected, strict=True)):
        wanted = ", ".join("any" if length is None else str(length) for length in expected)
        raise ValueError(f"{name} must have the shape ({wanted}), not {given}")


def spread(name: str, value: Number, like: Tensor) -> Tensor:
    """A number, or one for each sample, as a tensor that broadcasts against `like`, whose first axis is the samples.

    Raises:
        ValueError: if there is neither one number nor one for each sample.
    """
    tensor = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    if tensor.ndim == 0:
        return tensor
    if tensor.shape != like.shape[:1]:
        raise ValueError(f"{name} must be one number or one for each of {len(like)} samples, not {tuple(tensor.shape)}")
    return tensor.reshape(-1, *[1] * (like.ndim - 1))
