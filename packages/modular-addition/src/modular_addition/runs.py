"""Trainings on disk: folders with the weights, all that they depend on, and how the training went."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder

from .configs import Activation, ModelConfig, RunConfig
from .diagnosis import FourierReport
from .grokking import GrokkingStages, stages_of_rows
from .groups import PairData
from .network import ModularAdditionNet
from .training import Trainer


@dataclass(frozen=True)
class TrainReport:
    """How a training ended.

    Attributes:
        out: Its folder.
        row: Its last row: losses, accuracies, inverse participation ratio, norm.
        fourier: What the weights are made of.
        stages: Stages of grokking, where there is test data.
    """

    out: Path
    row: dict[str, float]
    fourier: FourierReport
    stages: GrokkingStages | None


def train_run(
    config: RunConfig,
    out: Path | str,
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> TrainReport:
    """Train a network and write it to a folder, which `load` reads.

    Args:
        config: The network, its pairs and its training.
        out: The folder, which may be missing.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training in the folder.
        reporter: Says how it goes.

    Raises:
        ValueError: if a setting is wrong, the training diverges, or the folder holds another training.
        PermissionError: if the folder cannot be written to.
    """
    reporter = reporter or Reporter(quiet=True)
    folder = RunFolder.begin(out, _described(config), resume=resume)
    data = PairData.make(config.model.p, config.data, config.train.seed)
    net = make_net(config).to(Compute(device).torch_device)
    trainer = Trainer(
        net, data, config.train, checkpoint=folder.checkpoint, track=reporter.track, log=folder.log(reporter)
    )
    n_train = int(data.train.sum())
    reporter.say(
        f"p = {net.p}, {net.width:,} neurons, {net.activation}; {n_train:,} of {net.p**2:,} pairs to train on; "
        f"to {folder.path}"
    )
    folder.fit(trainer, net, reporter)
    theta, w_out = net.theta.detach().cpu(), net.w_out.detach().cpu()
    stages = stages_of_rows(folder.history.rows) if data.has_test else None
    return TrainReport(folder.path, folder.history.rows[-1], FourierReport.from_weights(theta, w_out), stages)


def make_net(config: RunConfig, seed: int | None = None) -> ModularAdditionNet:
    """The network of a training with its initial weights.

    Args:
        config: The training.
        seed: Of the weights; that of the training by default.
    """
    drawn = config.train.seed if seed is None else seed
    return ModularAdditionNet.from_config(config.model, torch.Generator().manual_seed(drawn))


def save(net: ModularAdditionNet, path: Path | str, config: RunConfig) -> None:
    """Write a network to a folder, which `load` reads.

    Raises:
        ValueError: if the folder holds a training, or the network is not one of this configuration.
    """
    expected = {name: tensor.shape for name, tensor in make_net(config).state_dict().items()}
    if expected != {name: tensor.shape for name, tensor in net.state_dict().items()}:
        raise ValueError("the network was not made of this configuration")
    RunFolder.save(path, _described(config), net)


def load(path: Path | str, device: str = "auto") -> ModularAdditionNet:
    """The network of a folder, or of the file `model.safetensors` in one.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged, or holds the weights of another network.
    """
    folder = RunFolder.open(path)
    net = ModularAdditionNet.from_config(folder.config(ModelConfig, "model"))
    folder.load_weights(net)
    return net.to(Compute(device).torch_device).eval()


def activation_of(path: Path | str) -> Activation | None:
    """The activation function of the network in a folder, or in the file `model.safetensors` in one.

    Returns:
        None for any other file or folder: it does not say.

    Raises:
        ValueError: if the configuration in the folder is damaged, or that of another kind of network.
    """
    try:
        folder = RunFolder.open(path)
    except FileNotFoundError:
        return None
    return folder.config(ModelConfig, "model").activation


def _described(config: RunConfig) -> dict[str, Any]:
    return {
        "model": config.model,
        "data": config.data,
        "train": config.train,
        "version": version("modular-addition"),
    }
