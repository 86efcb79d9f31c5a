"""What PyTorch itself says of a module as it runs: floating-point operations, memory, shapes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


@contextmanager
def unfused() -> Iterator[None]:
    """Attention layer by layer, as it is traced."""
    is_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)


def counted_flops(module: Callable[..., Any], *args: Tensor) -> int:
    """Floating-point operations of products, counted by PyTorch as a module runs.

    Attention is computed by its formula, since the counter sees nothing in fused kernels of the CPU.
    """
    with unfused(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*args)
    return int(counter.get_total_flops())


class PeakMemory(TorchDispatchMode):
    """Follows the memory of all tensors that are made, and of those that are given."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.alive: dict[StorageWeakRef, int] = {}
        self.peak = 0
        self.ignored: set[int] = set()
        for tensor in given:
            self._see(tensor)

    def ignore(self, module: nn.Module) -> None:
        """Do not count the tensors of a module."""
        self.ignored = {t.untyped_storage()._cdata for t in (*module.parameters(), *module.buffers())}

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.ignored:
            self.alive[StorageWeakRef(storage)] = storage.nbytes()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        self.alive = {ref: size for ref, size in self.alive.items() if not ref.expired()}
        for one in torch.utils._pytree.tree_leaves(result):
            if isinstance(one, Tensor):
                self._see(one)
        self.peak = max(self.peak, sum(self.alive.values()))
        return result


def measured_peak(run: Callable[..., Any], module: nn.Module, *args: Tensor) -> int:
    """Most bytes of inputs and intermediate tensors at any time, as a module, or its diagram, runs.

    The module's own tensors are not counted.
    """
    mode = PeakMemory(*args)
    mode.ignore(module)
    with unfused(), mode:
        run(*args)
    return mode.peak


def hooked_shapes(module: nn.Module, *args: Tensor) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of what each module without children gives, call by call, by its path."""
    found: dict[str, list[tuple[int, ...]]] = {}

    def hook(path: str) -> Callable[..., None]:
        def note(_module: nn.Module, _args: Any, output: Any) -> None:  # noqa: ANN401
            if isinstance(output, Tensor):
                found.setdefault(path, []).append(tuple(output.shape))

        return note

    handles = [
        one.register_forward_hook(hook(path))
        for path, one in module.named_modules()
        if path and not list(one.children())
    ]
    try:
        with unfused():
            module(*args)
    finally:
        for handle in handles:
            handle.remove()
    return found
