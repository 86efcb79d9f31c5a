"""Diagrams on disk, and models by name."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from separata import files

from .ir import Diagram, from_json, to_json
from .text.parser import parse
from .text.writer import to_text


def save(diagram: Diagram, path: str | Path) -> Path:
    """Write a diagram: .json or .txt, and beside it, as .safetensors, the values of its parameters, if it has them.

    Raises:
        ValueError: if the name ends otherwise.
        OSError: if it cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".json", ".txt"):
        raise ValueError(f"a diagram is saved as .json or .txt, not as {path.name}; draw writes pictures")
    if diagram.values:
        own = {a.id: a.name or f"array.{a.id}" for a in diagram.parameters}
        tensors = {own[i]: value.clone() for i, value in diagram.values.items() if i in own}
        files.save_tensors(path.with_suffix(".safetensors"), tensors)
    files.write_text(path, to_json(diagram) if path.suffix == ".json" else to_text(diagram))
    return path


def load(path: str | Path, weights: str | Path | None = None) -> Diagram:
    """Read a diagram, .json or .txt, with the values that lie beside it, if there are any.

    Args:
        path: The diagram.
        weights: Values of its parameters by name, .safetensors; what lies beside it if not given.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no diagram, or the values are not those of its parameters.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no diagram: it is not UTF-8 text") from None
    try:
        diagram = from_json(text) if path.suffix == ".json" else parse(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    beside = Path(weights) if weights is not None else path.with_suffix(".safetensors")
    if weights is None and not beside.is_file():
        return diagram
    tensors, _ = files.load_tensors(beside)
    return with_values(diagram, tensors, str(beside))


def with_values(diagram: Diagram, tensors: dict[str, torch.Tensor], origin: str = "the values") -> Diagram:
    """The diagram with values of its parameters by name.

    Raises:
        ValueError: if one is missing or of another shape.
    """
    values = {}
    for a in diagram.parameters:
        name = a.name or f"array.{a.id}"
        if name not in tensors:
            raise ValueError(f"{origin} has no tensor {name}, which {diagram.name} needs")
        if tuple(tensors[name].shape) != a.shape:
            raise ValueError(f"{origin} holds {name} of shape {tuple(tensors[name].shape)}, but {a.shape} is needed")
        values[a.id] = tensors[name]
    return replace(diagram, values=values)


def with_random_values(diagram: Diagram, seed: int = 0) -> Diagram:
    """The diagram with random values of those parameters that have none, of a variance that keeps activations' size."""
    from .arguments import DTYPES

    generator = torch.Generator().manual_seed(seed)
    values = dict(diagram.values)
    for a in diagram.parameters:
        if a.id in values:
            continue
        dtype = DTYPES[a.dtype]
        if not dtype.is_floating_point:
            values[a.id] = torch.zeros(a.shape, dtype=dtype)
            continue
        fan = max(prod(a.shape[1:]), 1)
        value = torch.randn(a.shape, generator=generator, dtype=torch.float64) / fan**0.5
        # A variance cannot be negative.
        values[a.id] = (value.abs() if a.name.endswith("var") else value).to(dtype)
    return replace(diagram, values=values)


def model_named(factory: str) -> nn.Module | Callable[..., Any]:
    """A model of the user's own: `module:attribute`, importable from the current folder.

    The attribute is a module, a class or function that makes one without arguments, or a function of tensors named
    with a trailing `!`.

    Raises:
        ValueError: if there is no such module or attribute, or it does not make a module.
    """
    name, _, attribute = factory.partition(":")
    if not name or not attribute:
        raise ValueError(f"a model is named module:attribute, such as torchvision.models:resnet50, not {factory}")
    folder = os.getcwd()  # noqa: PTH109 - a string for sys.path
    sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(name)
        for part in attribute.removesuffix("!").split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"there is no module {error.name}, looked for in {folder} and among installed packages"
        ) from None
    except AttributeError:
        raise ValueError(f"{name} has no {attribute}") from None
    except Exception as error:
        raise ValueError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    if isinstance(found, nn.Module) or attribute.endswith("!"):
        return found
    if not callable(found):
        raise ValueError(f"{factory} is no model but {type(found).__name__}")
    try:
        made = found()
    except Exception as error:
        raise ValueError(f"{factory}() fails: {error}; name a factory that needs no arguments") from error
    if not isinstance(made, nn.Module):
        raise ValueError(f"{factory}() makes no nn.Module but {type(made).__name__}")
    return made


def inputs_of(shapes: str) -> tuple[torch.Tensor, ...]:
    """Inputs of shapes such as "1,3,32,32" or "2,7:int64;2,9:int64"; a type may follow each.

    Raises:
        ValueError: if that is not how they are written.
    """
    from .arguments import DTYPES

    found = []
    for word in shapes.split(";"):
        sizes, _, dtype = word.partition(":")
        dtype = dtype.strip() or "float32"
        try:
            shape = [int(size) for size in sizes.split(",") if size.strip()]
        except ValueError:
            shape = [-1]
        if any(size < 0 for size in shape):
            raise ValueError(f"an input is given as sizes with commas, such as 1,3,32,32 or 2,7:int64, not {word!r}")
        if dtype not in DTYPES:
            raise ValueError(f"there is no type {dtype}; use float32, float64, int64, ...")
        kind = DTYPES[dtype]
        found.append(
            torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(kind)
            if kind.is_floating_point
            else torch.zeros(shape, dtype=kind)
        )
    return tuple(found)
