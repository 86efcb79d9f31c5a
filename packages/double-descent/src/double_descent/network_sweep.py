"""Errors over the width of two-layer networks, the seeds of each width trained as one."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .configs import NetworkConfig, check_widths
from .samples import Samples
from .spectra import spectrum
from .sweep import Row, SweepResult, errors_of
from .tangent_kernel import ntk_spectrum
from .two_layer import TwoLayerNet, losses, n_parameters, train_two_layer

CHUNK = 500
N_KERNEL = 40


def network_sweep(
    samples: Samples,
    widths: Sequence[int],
    settings: Mapping[str, NetworkConfig] | NetworkConfig,
    epochs: Sequence[int] | None = None,
    device: str = "cpu",
    *,
    kernel: bool = False,
) -> SweepResult:
    """Sweep the hidden width of two-layer networks.

    Args:
        samples: What each seed learns from and is tested on.
        widths: Hidden units, H.
        settings: Trainings by name, or one.
        epochs: Numbers of epochs at which to look, in increasing order; those of each setting by default.
        device: Where to train.
        kernel: Also compute the condition number of the tangent kernel, on 40 samples.

    Returns:
        A sweep whose rows also have `parameters`, over which it is drawn, `gradient_norm` and, if asked for,
        `kernel_condition_number`; `condition_number` is that of the penultimate features. Squared errors of a network
        that was trained by cross-entropy are those of its probabilities. The threshold is N C.

    Raises:
        ValueError: if a setting is not possible, or training diverges.
    """
    named: Mapping[str, NetworkConfig] = (
        {settings.optimizer: settings} if isinstance(settings, NetworkConfig) else settings
    )
    rows = [row for _, some in network_widths(samples, widths, named, epochs, device, kernel=kernel) for row in some]
    return SweepResult(rows, samples.n_train * samples.y.shape[2], "parameters")


def network_widths(
    samples: Samples,
    widths: Sequence[int],
    settings: Mapping[str, NetworkConfig],
    epochs: Sequence[int] | None = None,
    device: str = "cpu",
    *,
    kernel: bool = False,
    track: Callable[[Iterable[int], str], Iterable[int]] | None = None,
    skip: Sequence[int] = (),
) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each width in turn; arguments as for `network_sweep` and `sweep_widths`."""
    widths = check_widths(widths)
    samples = samples.to(device)
    left = [width for width in widths if width not in set(skip)]
    for width in track(left, "widths") if track else left:
        rows: list[Row] = []
        for name, config in settings.items():
            rows += _rows(samples, width, name, config, epochs, kernel=kernel)
        yield width, rows


def _rows(
    samples: Samples, width: int, name: str, config: NetworkConfig, epochs: Sequence[int] | None, *, kernel: bool
) -> list[Row]:
    d, classes = samples.x.shape[2], samples.y.shape[2]
    networks = [
        TwoLayerNet(d, width, classes, config.norm, config.activation, config.init_scale, seed)
        for seed in samples.seeds
    ]
    rows: list[Row] = []
    for done, ensemble in train_two_layer(networks, samples.x, samples.y, config, samples.seeds, epochs):
        gradients = torch.autograd.grad(
            losses(ensemble(samples.x), samples.y, config.loss).sum(), list(ensemble.parameters())
        )
        norms = sum(one.square().flatten(1).sum(1) for one in gradients)
        with torch.no_grad():
            train, test = (_predicted(ensemble, x, samples.x, config.loss) for x in (samples.x, samples.x_test))
            columns = errors_of(train, samples.y, "train") | errors_of(test, samples.y_test, "test")
            if samples.x_val.shape[1]:
                guesses = _predicted(ensemble, samples.x_val, samples.x, config.loss)
                columns["validation_mse"] = (guesses - samples.y_val).square().mean((1, 2))
            members = [one for one in ensemble.members() if isinstance(one, TwoLayerNet)]
            hidden = torch.stack([one.features(x) for one, x in zip(members, samples.x, strict=True)])
        is_alive = hidden.abs().amax((1, 2)) > 0
        kappa = spectrum(torch.where(is_alive[:, None, None], hidden, 1.0)).condition_number
        columns |= {
            # Units that are all zero have none.
            "condition_number": torch.where(is_alive, kappa, math.nan),
            "gradient_norm": torch.as_tensor(norms).sqrt(),
        }
        if kernel:
            columns["kernel_condition_number"] = torch.stack(
                [_kernel_condition(one, x) for one, x in zip(members, samples.x, strict=True)]
            )
        if not samples.has_classes:
            columns = {key: value for key, value in columns.items() if not key.endswith("_error")}
        rows += [
            {
                "setting": name,
                "steps": float(done),
                "width": width,
                "parameters": n_parameters(d, width, classes),
                "seed": seed,
                **{key: float(value[i]) for key, value in columns.items()},
            }
            for i, seed in enumerate(samples.seeds)
        ]
    return rows


def _predicted(ensemble: torch.nn.Module, x: Tensor, reference: Tensor, loss: str) -> Tensor:
    """Outputs, as probabilities where they are trained as logits, so that squared errors mean something."""
    outputs = torch.cat([ensemble(part, reference) for part in x.split(CHUNK, dim=1)], 1)
    return outputs.softmax(2) if loss == "cross-entropy" else outputs


def _kernel_condition(network: TwoLayerNet, x: Tensor) -> Tensor:
    eigenvalues = ntk_spectrum(network, x, N_KERNEL)
    kept = eigenvalues[eigenvalues > 1e-12 * eigenvalues[0]]
    return eigenvalues[0] / kept[-1]
