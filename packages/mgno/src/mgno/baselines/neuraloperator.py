"""Models of the library `neuraloperator`, as ours."""

from typing import Any

import torch
import torch.nn.functional as F

from .fno import FNO

LAYER = {
    "spectral.weight": "convs.{}.weight.tensor",
    "spectral.bias": "convs.{}.bias",
    "skip.weight": "fno_skips.{}.conv.weight",
    "mlp.0.weight": "channel_mlp.{}.fcs.0.weight",
    "mlp.0.bias": "channel_mlp.{}.fcs.0.bias",
    "mlp.2.weight": "channel_mlp.{}.fcs.1.weight",
    "mlp.2.bias": "channel_mlp.{}.fcs.1.bias",
    "gate": "channel_mlp_skips.{}.weight",
}
"""What the parameters of a Fourier layer are called there."""
ENDS = {
    f"{part}.{2 * i}.{kind}": f"{part}.fcs.{i}.{kind}"
    for part in ("lifting", "projection")
    for i in (0, 1)
    for kind in ("weight", "bias")
}
"""What those of the lifting and the projection are called there."""


def fno_from_neuraloperator(module: Any) -> FNO:  # noqa: ANN401 - the library is not needed to read its model
    """A copy of a two-dimensional `neuralop.models.FNO`, with its weights, that does not need the library.

    Checked against neuraloperator 2.0.0. On grids of odd height that version undoes `fftshift` by a second `fftshift`,
    which moves the spectrum by one wavenumber; its development version is mended. The copy is equal to it on grids of
    even height, and right on all.

    Args:
        module: A model with the library's default layers, of any width, padding, and number of layers and modes.

    Returns:
        The model, on the same device, with numbers of the same type, in the same mode (training or evaluation).

    Raises:
        ValueError: if it is no such model, or has options that `FNO` does not have.
    """
    given = dict(module.named_parameters())
    weight = given.get(f"fno_blocks.{LAYER['spectral.weight']}".format(0))
    if weight is None or weight.ndim != 4:
        raise ValueError("the module must be a two-dimensional neuralop.models.FNO with dense weights")
    names = ENDS | {
        f"layers.{i}.{ours}": f"fno_blocks.{theirs}".format(i)
        for i in range(module.n_layers)
        for ours, theirs in LAYER.items()
    }
    _check_options(module, set(given) ^ set(names.values()))
    rows, columns = weight.shape[2:]
    width, where, ratio = module.hidden_channels, module.positional_embedding, 1 / module.hidden_channels
    fno = FNO(
        module.in_channels,
        module.out_channels,
        width,
        (rows // 2, columns),
        module.n_layers,
        positional=where is not None,
        padding=_padding(module),
        lifting_ratio=len(given["lifting.fcs.0.weight"]) * ratio,
        projection_ratio=len(given["projection.fcs.0.weight"]) * ratio,
        mlp_ratio=len(given["fno_blocks.channel_mlp.0.fcs.0.weight"]) * ratio,
    )
    fno.to(given["lifting.fcs.0.weight"])
    with torch.no_grad():
        for ours, parameter in fno.named_parameters():
            value = given[names[ours]]
            if value.is_complex():
                value = torch.view_as_real(value.permute(2, 3, 0, 1).resolve_conj())
            parameter.copy_(value.reshape(parameter.shape))
    return fno.train(module.training)


def _check_options(module: Any, differing: set[str]) -> None:  # noqa: ANN401 - as above
    """Refuse a model with an option that changes what it computes; `differing` are parameters of one of the two."""
    blocks, where, boundaries = module.fno_blocks, module.positional_embedding, [[0.0, 1.0], [0.0, 1.0]]
    convolution = blocks.convs[0]
    options = {
        "norm": blocks.norm is not None,
        "preactivation": blocks.preactivation,
        "stabilizer": blocks.stabilizer is not None,
        "complex_data": module.complex_data,
        "channel_mlp_dropout": blocks.channel_mlp_dropout > 0,
        "resolution_scaling_factor": module.resolution_scaling_factor is not None,
        "non_linearity": module.non_linearity is not F.gelu,
        "fno_block_precision": module.fno_block_precision != "full",
        "max_n_modes": [*convolution.n_modes] != [*convolution.max_n_modes],
        "n_modes (odd)": convolution.n_modes[0] % 2 == 1,
        "positional_embedding": where is not None and [[*axis] for axis in where.grid_boundaries] != boundaries,
        "domain_padding (different on the two axes)": _padding(module) is None,
        f"parameters ({', '.join(sorted(differing)[:2])})": bool(differing),
    }
    changed = [name for name, is_changed in options.items() if is_changed]
    if changed:
        raise ValueError(f"FNO has no such {changed[0]} as the module of neuraloperator")


def _padding(module: Any) -> Any:  # noqa: ANN401 - as above
    """The share of the grid's size that the model pads with, or None where it is not the same along both axes."""
    if module.domain_padding is None:
        return 0.0
    share = module.domain_padding.domain_padding
    shares = {share} if isinstance(share, int | float) else {*share}
    return float(shares.pop()) if len(shares) == 1 else None
