"""An operator that stands for what cannot be computed here: its arrays have shapes and no values."""

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from .signatures.call import Call, Rule
from .signatures.registry import OWN

LIBRARY = torch.library.Library("circuit_diagrams", "FRAGMENT")
LIBRARY.define("closed(Tensor[] inputs, str operator, str outputs) -> Tensor[]")


def _shapes(_inputs: Sequence[Tensor], _name: str, outputs: str) -> list[Tensor]:
    return [
        torch.empty(shape, dtype=getattr(torch, kind.removeprefix("torch.")), device="meta")
        for shape, kind in json.loads(outputs)
    ]


def _refused(_inputs: Sequence[Tensor], name: str, _outputs: str) -> list[Tensor]:
    raise NotImplementedError(f"the operator {name} cannot be computed here")


def _rule(call: Call) -> Rule:
    return Rule("opaque", [call.new(k) for k in range(len(call.shapes))], name=str(call.arguments["operator"]))


LIBRARY.impl("closed", _shapes, "Meta")
LIBRARY.impl("closed", _refused, "CPU")
LIBRARY.impl("closed", _refused, "CUDA")
OWN["circuit_diagrams::closed"] = _rule
