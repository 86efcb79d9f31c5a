"""The networks of a fixer by name: those that come with the package, one's own, and those in the layout of TRELLIS."""

from pathlib import Path

import torch
from torch import Tensor, nn

from fixer3d.configs import EncoderConfig, ModelConfig
from fixer3d.network.encoders import FULL_SIZE, load_dino, load_moge
from fixer3d.network.model import FixerModel
from fixer3d.training.runs import load_networks, trained_stages
from separata.run import Compute
from separata.runs import CONFIG

from .pretrained import TrellisModels, load_trellis

SHIPPED = Path(__file__).parents[1] / "checkpoints"
PIPELINE = "pipeline.json"
STAGES = ("coarse", "fine")
TO_COMPLETE = ("vae", "prior", "control-pre", STAGES[0])
"""Stages without which no object is completed."""


def shipped() -> list[str]:
    """Names of the weights that come with this package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))


def folder_of(name: str | Path) -> Path:
    """The folder of weights that come with this package, or a folder as it is.

    Raises:
        ValueError: if the name is that of both.
    """
    own = Path(name)
    if not isinstance(name, str) or name not in shipped():
        return own
    if (own / CONFIG).is_file():
        raise ValueError(
            f"{name} is a folder here with a training, and the name of weights that come with the package; for the "
            f"folder, give its whole path, {own.resolve()}; for the others, work in another folder"
        )
    return SHIPPED / name


def load_model(name: str | Path, device: str = "auto") -> FixerModel:
    """The networks of a folder, or some that come with this package.

    Args:
        name: A folder of `3d-fixer train`, one with pipeline.json, or the name of weights that come with the package.
        device: Where to compute: auto, cpu or cuda.

    Raises:
        FileNotFoundError: if there are none.
        ValueError: if a file is damaged, the name is that of a folder, too, or the released networks are to run without
            a GPU.
    """
    target = Compute(device).torch_device
    if (Path(name) / PIPELINE).is_file():
        if target.type == "cpu" and device == "auto":
            raise ValueError("the released networks need a CUDA GPU; choose the device cpu to wait for a CPU instead")
        models = load_trellis(name, target)
        moge = load_moge(models.scene_encoder) if models.scene_encoder else load_moge()
        return model_from_trellis(models, load_dino(models.image_encoder or "dinov2_vitl14_reg"), moge)
    try:
        return load_networks(folder_of(name)).to(target)
    except FileNotFoundError as error:
        known = ", ".join(shipped()) or "none"
        raise FileNotFoundError(f"{error}; weights that come with this version: {known}") from None


def load_completer(name: str | Path, device: str = "auto") -> FixerModel:
    """The networks of `load_model`, which have a coarse stage.

    Raises:
        FileNotFoundError: if there are none.
        ValueError: if they lack it; see `load_model` for other reasons.
    """
    model = load_model(name, device)
    if STAGES[0] not in model.stages:
        trained = trained_stages(folder_of(name))
        after = next(stage for stage in TO_COMPLETE if stage not in trained)
        raise ValueError(
            f"{name} cannot complete objects yet: it has only the stages {', '.join(trained)}; train {after} next"
        )
    return model


class RGBOnly(nn.Module):
    """An encoder of the scene that looks at its color alone, and estimates geometry itself.

    Args:
        encoder: From images to tokens.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, scene: Tensor) -> Tensor:
        """Tokens of images with depth."""
        return self.encoder(scene[:, :3])


def model_from_trellis(models: TrellisModels, encoder: nn.Module, scene_encoder: nn.Module) -> FixerModel:
    """The networks of a folder in the layout of TRELLIS, with image encoders, as a fixer takes them.

    Args:
        models: What `load_trellis` gave.
        encoder: From images to tokens, such as `load_dino`.
        scene_encoder: From whole images to tokens, such as `load_moge`.

    Raises:
        ValueError: if the folder lacks one of the networks.
    """
    vae, flows = models.vae(), {stage: models.flow(stage) for stage in STAGES}
    flow = models.trunk.config
    crops = EncoderConfig(FULL_SIZE, 2, flow.cond_width)
    config = ModelConfig(vae.config, flow, crops)
    with torch.device("meta"):
        model = FixerModel(config, STAGES)
    model.vae, model.prior, model.encoder = vae, models.trunk, encoder
    model.samplers = {stage: models.sampler(stage) for stage in STAGES}
    for stage, one in flows.items():
        assert one.control is not None  # noqa: S101 - for the type checker
        model.controls[stage], model.scene_encoders[stage] = one.control, RGBOnly(scene_encoder)
    device = models.trunk.pos_emb.device
    shape = model.latent_mean.shape
    model.latent_mean, model.latent_std = torch.zeros(shape, device=device), torch.ones(shape, device=device)
    return model.to(device).eval()
