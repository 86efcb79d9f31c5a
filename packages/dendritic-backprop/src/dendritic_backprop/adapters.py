"""What of a module's output its neurons are: the tensor itself, or a part of a tuple as recurrent modules give it."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


@runtime_checkable
class OutputAdapter(Protocol):
    """Any object that takes the tensor of the neurons out of a module's output, and puts another one in its place."""

    def split(self, output: Any) -> Tensor:  # noqa: ANN401 - whatever a module returns
        """The tensor of the neurons.

        Raises:
            ValueError: if there is none.
        """

    def join(self, tensor: Tensor, output: Any) -> Any:  # noqa: ANN401
        """The output with this tensor in place of its own."""


class TensorOutput:
    """The output is the tensor of the neurons."""

    def split(self, output: Any) -> Tensor:  # noqa: ANN401
        """The output itself.

        Raises:
            ValueError: if it is no tensor.
        """
        if not isinstance(output, Tensor):
            raise ValueError(f"it returns a {type(output).__name__}; give an adapter that says where its neurons are")
        return output

    def join(self, tensor: Tensor, output: Any) -> Tensor:  # noqa: ANN401, ARG002
        """The tensor itself."""
        return tensor


class FirstOutput:
    """The neurons are the first element of a tuple, as of `nn.LSTMCell`; the others stay as they are."""

    def split(self, output: Any) -> Tensor:  # noqa: ANN401
        """The first element.

        Raises:
            ValueError: if it is no tensor.
        """
        if not (isinstance(output, tuple) and output and isinstance(output[0], Tensor)):
            raise ValueError(f"it returns a {type(output).__name__}, whose first element should be a tensor")
        return output[0]

    def join(self, tensor: Tensor, output: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """The tuple with another first element."""
        return (tensor, *output[1:])


class RecurrentOutput:
    """The output of `nn.GRU`, `nn.LSTM` and `nn.RNN`: neurons are the last layer's hidden units at every time step.

    The final state of the last layer, which these modules return too, is that of the grown output; so dendrites count
    whichever of the two the network goes on with. States of lower layers, and cell states, are the module's own.

    Args:
        module: The recurrent module; its batches may be packed, batch-first, or missing.
    """

    def __init__(self, module: nn.RNNBase) -> None:
        self.batch_first, self.n_directions = module.batch_first, 2 if module.bidirectional else 1

    def split(self, output: Any) -> Tensor:  # noqa: ANN401
        """The output at every time step."""
        y = output[0]
        return y.data if isinstance(y, PackedSequence) else y

    def join(self, tensor: Tensor, output: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """The output and final states with these outputs at every time step."""
        y, state = output
        grown = y._replace(data=tensor) if isinstance(y, PackedSequence) else tensor
        hidden = state[0] if isinstance(state, tuple) else state
        hidden = torch.cat([hidden[: -self.n_directions], self._final(grown)])
        return grown, (hidden, *state[1:]) if isinstance(state, tuple) else hidden

    def _final(self, y: Tensor | PackedSequence) -> Tensor:
        """The last output of each direction, of shape (directions, batch, hidden), or without batch."""
        if isinstance(y, PackedSequence):
            padded, lengths = pad_packed_sequence(y)
            last = padded[lengths.to(padded.device) - 1, torch.arange(padded.shape[1], device=padded.device)]
            first = padded[0]
        else:
            steps = y.movedim(1, 0) if self.batch_first and y.ndim == 3 else y
            last, first = steps[-1], steps[0]
        if self.n_directions == 1:
            return last[None]
        return torch.stack([last.chunk(2, -1)[0], first.chunk(2, -1)[1]])


def make_adapter(module: nn.Module) -> OutputAdapter:
    """The adapter that fits a module of PyTorch."""
    if isinstance(module, nn.RNNBase):
        return RecurrentOutput(module)
    return FirstOutput() if isinstance(module, nn.LSTMCell) else TensorOutput()


def find_axis(module: nn.Module) -> int:
    """The axis of the neurons in a module's output: the last one, or that of the channels; 1 for other modules."""
    if isinstance(module, nn.Sequential) and len(module):
        return find_axis(module[0])
    for dimensions, kind in enumerate((nn.Conv1d, nn.Conv2d, nn.Conv3d), 1):
        if isinstance(module, kind):
            return -1 - dimensions
    return -1 if isinstance(module, (nn.Linear, nn.RNNBase, nn.RNNCellBase)) else 1


def find_n_nodes(module: nn.Module) -> int | None:
    """The number of neurons of a module; None where only its output tells."""
    if isinstance(module, nn.RNNBase):
        return (module.proj_size or module.hidden_size) * (2 if module.bidirectional else 1)
    if isinstance(module, nn.RNNCellBase):
        return module.hidden_size
    if isinstance(module, nn.Sequential):
        known = [n for child in module if (n := find_n_nodes(child)) is not None]
        return known[-1] if known else None
    for name in ("out_features", "out_channels"):
        if isinstance(n := getattr(module, name, None), int):
            return n
    return None


def map_tensors(change: Callable[[Tensor], Tensor], value: Any) -> Any:  # noqa: ANN401 - arguments of a module
    """Arguments with each of their tensors changed, in tuples, lists, dicts and packed sequences, too."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, PackedSequence):
        return value._replace(data=change(value.data))
    if isinstance(value, (tuple, list)):
        return type(value)(map_tensors(change, item) for item in value)
    if isinstance(value, dict):
        return {key: map_tensors(change, item) for key, item in value.items()}
    return value


def detached(value: Any) -> Any:  # noqa: ANN401 - arguments of a module
    """Arguments through which no gradient flows back."""
    return map_tensors(Tensor.detach, value)
