"""Inference for other programs, as ONNX."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from separata import onnx

from .discrete import NoPropDT
from .model import NoPropModel

N_SAMPLES = 5
"""Random samples on which both are compared."""


class _Noisy(nn.Module):
    """The chain with its noise as inputs."""

    def __init__(self, model: NoPropModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, z: Tensor, noise: Tensor) -> Tensor:
        """The logits of samples, from states z on, with the noise (batch, steps, dim) of each step."""
        left = iter(noise.unbind(1))
        return self.model.head(self.model.end(x, z, lambda _: next(left)), self.model.embedding)


def save_onnx(
    model: NoPropModel, path: Path | str, shape: Sequence[int], *, noise: bool = False, steps: int | None = None
) -> None:
    """Write the inference of a model as an ONNX model, from `x` to `logits`, for any number of samples.

    ONNX Runtime then computes random inputs; the file is kept only if it agrees with PyTorch. Every step of the chain
    is written out, so continuous time wants few of them.

    Args:
        model: The model; of its own blocks, ONNX must have the operations.
        path: File to write, whole or not at all.
        shape: Shape of a sample.
        noise: Take the states at the beginning, `z` (samples, dim), and the noise of the steps, `noise` (samples,
            steps, dim), as further inputs, of discrete time or ancestral sampling; without them, both are zero, which
            gives a function of the sample alone.
        steps: Steps of the chain of continuous time; the model's own by default.

    Raises:
        ValueError: if the name does not end in .onnx, PyTorch cannot export the model, or the outputs differ.
        OSError: if the file cannot be written.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    before = model.sampler
    model.sampler = before if steps is None else model.with_sampler(steps=steps)
    n_steps = model.n_steps if isinstance(model, NoPropDT) else model.sampler.steps
    generator = torch.Generator().manual_seed(0)
    inputs = {"x": torch.rand(N_SAMPLES, *shape, generator=generator)}
    if noise:
        inputs["z"] = torch.randn(N_SAMPLES, model.embedding.dim, generator=generator)
        inputs["noise"] = torch.randn(N_SAMPLES, n_steps, model.embedding.dim, generator=generator)
    axes = {name: {0: "samples"} for name in inputs}
    try:
        onnx.save(_Noisy(model) if noise else model, path, inputs, ["logits"], dynamic_axes=axes, extra="noprop[onnx]")
    finally:
        model.sampler = before
