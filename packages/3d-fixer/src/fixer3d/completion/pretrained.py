"""Checkpoints in the layout of TRELLIS: a folder with pipeline.json, and settings and weights of each model.

Weights are read from safetensors only.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fixer3d.configs import FlowConfig, SamplerConfig, VAEConfig
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.trunk import FlowTrunk
from fixer3d.network.vae import SparseStructureDecoder, SparseStructureEncoder, SparseStructureVAE

Model = TypeVar("Model", bound=nn.Module)
Settings = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]

N_SHOWN = 3
"""Keys of each kind that a report names."""
IRRELEVANT = {"use_fp16", "use_checkpoint", "pretrained_ss_flow_dit", "pretrained_ss_enc", "resume_ckpts", "frozen"}
"""Settings of how a model was trained or is run, not of what it is."""


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of each channel of a latent."""

    mean: Float[Tensor, "channels"]
    std: Float[Tensor, "channels"]


@dataclass(frozen=True)
class TrellisModels:
    """What a folder holds.

    Args:
        models: Modules by the folder's names for them, in evaluation mode.
        skipped: Why others were not built, by name.
        samplers: Settings of the samplers, by the folder's names.
        slat_normalization: Of the structured latents, if the folder has it.
        image_encoder: Name of the image encoder, for `load_dino`.
        scene_encoder: Name of the scene encoder, for `load_moge`.
    """

    models: dict[str, nn.Module]
    skipped: dict[str, str] = field(default_factory=dict)
    samplers: dict[str, SamplerConfig] = field(default_factory=dict)
    slat_normalization: Normalization | None = None
    image_encoder: str | None = None
    scene_encoder: str | None = None

    @property
    def trunk(self) -> FlowTrunk:
        """The object prior.

        Raises:
            ValueError: if the folder has none.
        """
        return self._get("sparse_structure_flow_model", FlowTrunk)

    def flow(self, stage: str) -> DualBranchFlow:
        """The trunk with the control branch of a stage.

        Args:
            stage: `coarse` or `fine`.

        Raises:
            ValueError: if the folder does not have both.
        """
        return DualBranchFlow(self.trunk, self._get(f"scene_sparse_structure_flow_{stage}_model", ControlBranch))

    def vae(self) -> SparseStructureVAE:
        """The autoencoder of occupancy, at the resolution that fits the trunk's latents.

        Raises:
            ValueError: if the folder does not have both halves and the trunk, or they do not fit together.
        """
        encoder = self._get("sparse_structure_encoder", SparseStructureEncoder)
        decoder = self._get("sparse_structure_decoder", SparseStructureDecoder)
        if encoder.config != decoder.config:
            raise ValueError(f"the encoder is of {encoder.config}, the decoder of {decoder.config}")
        config = replace(encoder.config, resolution=self.trunk.config.resolution * encoder.config.factor)
        with torch.device("meta"):
            vae = SparseStructureVAE(config)
        vae.encoder, vae.decoder = encoder, decoder
        return vae.eval()

    def sampler(self, stage: str) -> SamplerConfig:
        """The sampler of a stage, `coarse`, `fine` or `texture`, or the default one."""
        shared = "slat_sampler" if stage == "texture" else "sparse_structure_sampler"
        return self.samplers.get(f"{stage}_{shared}") or self.samplers.get(shared) or SamplerConfig()

    def _get(self, name: str, kind: type[Model]) -> Model:
        model = self.models.get(name)
        if not isinstance(model, kind):
            raise ValueError(f"there is no {name} among {', '.join(self.models) or 'the models'}")
        return model


def load_trellis(
    folder: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> TrellisModels:
    """Build the sparse-structure models of a folder and load their weights.

    `pipeline.json` names each model's files, `<stem>.json` with its class and settings and `<stem>.safetensors` with
    its weights; they are those of TRELLIS and 3D-Fixer. Models of structured latents are skipped: they consist of
    sparse convolutions (spconv), and the mesh decoder of FlexiCubes (kaolin).

    Args:
        folder: The folder.
        device: Where the models go.
        dtype: Their precision.

    Returns:
        The models, what was skipped, and the other settings of the pipeline.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file cannot be read, a setting is not known, or the keys of the weights do not fit.
    """
    folder, pipeline = Path(folder), Path(folder) / "pipeline.json"
    args = _entry(_read_json(pipeline), "args", pipeline)
    models: dict[str, nn.Module] = {}
    skipped: dict[str, str] = {}
    for name, stem in _entry(args, "models", pipeline).items():
        path = _inside(folder, stem)
        settings = _read_json(path.with_name(f"{path.name}.json"))
        if str(settings.get("name")) in BUILDERS:
            models[name] = _load_model(settings, path, device, dtype)
        else:
            skipped[name] = _why_skipped(str(settings.get("name")))
    return TrellisModels(
        models,
        skipped,
        {name: _sampler(_entry(args, name, pipeline)) for name in args if name.endswith("sampler")},
        _normalization(args, pipeline),
        args.get("image_cond_model"),
        args.get("scene_cond_model"),
    )


def load_weights(module: nn.Module, path: str | Path, dtype: torch.dtype | None = None) -> None:
    """Load a module's weights from a safetensors file that holds exactly these.

    Args:
        module: The module; one on the meta device gets the file's tensors themselves.
        path: The file.
        dtype: Precision to convert to; that of the module's own parameters if None.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not such a file, or its keys or shapes are others; the message names the first.
    """
    path = Path(path)
    if not path.is_file():
        other = path.with_suffix(".pt")
        hint = f"; {other.name} is not read, convert it to safetensors" if other.is_file() else ""
        raise FileNotFoundError(f"there is no {path}{hint}")
    expected = module.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  # no dict
            check_keys({key: tuple(value.shape) for key, value in expected.items()}, shapes, str(path))
            state = {key: file.get_tensor(key).to(dtype or value.dtype) for key, value in expected.items()}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    module.load_state_dict(state, assign=any(value.is_meta for value in expected.values()))


def check_keys(expected: Shapes, found: Shapes, where: str) -> None:
    """Check that a file has the keys and shapes of a module.

    Args:
        expected: Shapes of the module's tensors, by key.
        found: Those of the file's.
        where: What the file is called.

    Raises:
        ValueError: if one is missing, unexpected, or of another shape, with the first few of each.
    """
    wrong = [
        f"{key} {found[key]} instead of {expected[key]}"
        for key in expected
        if key in found and found[key] != expected[key]
    ]
    kinds = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": wrong,
    }
    report = [f"{len(keys)} {kind} ({_first(keys)})" for kind, keys in kinds.items() if keys]
    if report:
        raise ValueError(f"the keys of {where} do not fit the model: {'; '.join(report)}")


def flow_config(settings: Settings) -> FlowConfig:
    """The sizes of a TRELLIS flow model from its settings; half as many control blocks as blocks.

    Raises:
        ValueError: if a setting is missing or not known, or asks for what is not here.
    """
    args = _Arguments(settings)
    width = args.integer("model_channels")
    per_head = args.integer("num_head_channels", 64)
    if per_head < 1:
        raise ValueError(f"num_head_channels of {args.name} must be positive, not {per_head}")
    heads = args.integer("num_heads", 0) or width // per_head
    channels, blocks = args.integer("in_channels"), args.integer("num_blocks")
    args.demand(out_channels=channels, pe_mode="ape", share_mod=False, qk_rms_norm_cross=False)
    config = FlowConfig(
        resolution=args.integer("resolution"),
        in_channels=channels,
        patch_size=args.integer("patch_size", 2),
        width=width,
        n_blocks=blocks,
        n_control_blocks=max(1, blocks // 2),
        n_heads=heads,
        cond_width=args.integer("cond_channels"),
        mlp_ratio=args.number("mlp_ratio", 4.0),
        qk_rms_norm=bool(args.take("qk_rms_norm", default=False)),
    )
    args.finish()
    return config


def _make_control(settings: Settings) -> ControlBranch:
    config = flow_config(settings)
    return ControlBranch(replace(config, n_control_blocks=config.n_blocks))


def _make_encoder(settings: Settings) -> SparseStructureEncoder:
    return SparseStructureEncoder(_vae_config(settings, "in_channels", 1))


def _make_decoder(settings: Settings) -> SparseStructureDecoder:
    return SparseStructureDecoder(_vae_config(settings, "out_channels", -1))


BUILDERS: dict[str, Callable[[Settings], nn.Module]] = {
    "SparseStructureFlowModel": lambda settings: FlowTrunk(flow_config(settings)),
    "SceneSparseStructureFlowModule": _make_control,
    "SparseStructureEncoder": _make_encoder,
    "SparseStructureDecoder": _make_decoder,
}


class _Arguments:
    """Settings of a model or sampler, taken one by one, so that none is overlooked."""

    def __init__(self, settings: Settings, key: str = "args") -> None:
        self.name = str(settings.get("name", "a model"))
        self.left = dict(_entry(settings, key, f"the file of {self.name}"))

    def take(self, key: str, default: object = None) -> object:
        if self.left.get(key, default) is None:
            raise ValueError(f"the settings of {self.name} lack {key}")
        return self.left.pop(key, default)

    def number(self, key: str, default: float | None = None) -> float:
        return float(self._check(key, self.take(key, default)))

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._check(key, self.take(key, default))
        if value != int(value):
            raise ValueError(f"{key} of {self.name} must be an integer, not {value}")
        return int(value)

    def numbers(self, key: str, default: list[float] | None = None) -> list[float]:
        values = self.take(key, default)
        if not isinstance(values, list):
            raise ValueError(f"{key} of {self.name} must be a list of numbers, not {values!r}")
        return [self._check(key, value) for value in values]

    def demand(self, **values: object) -> None:
        for key, value in values.items():
            given = self.take(key, value)
            if given != value:
                raise ValueError(f"a {self.name} with {key} = {given!r} is not supported, only {value!r}")

    def finish(self) -> None:
        unknown = sorted(self.left.keys() - IRRELEVANT)
        if unknown:
            raise ValueError(f"the settings of {self.name} have {_first(unknown)}, which is not known here")

    def _check(self, key: str, value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"{key} of {self.name} must be a number, not {value!r}")
        return value


def _vae_config(settings: Settings, side: str, order: int) -> VAEConfig:
    args = _Arguments(settings)
    args.demand(**{side: 1, "norm_type": "layer"})
    channels = tuple(int(width) for width in args.numbers("channels")[::order])
    config = VAEConfig(
        # The settings do not name a resolution; one that fits is needed only here.
        resolution=2 ** len(channels),
        channels=channels,
        latent_channels=args.integer("latent_channels"),
        n_res_blocks=args.integer("num_res_blocks"),
        n_middle_blocks=args.integer("num_res_blocks_middle", 2),
    )
    args.finish()
    return config


def _load_model(settings: Settings, path: Path, device: str | torch.device, dtype: torch.dtype) -> nn.Module:
    with torch.device("meta"):
        model = BUILDERS[settings["name"]](settings)
    load_weights(model, path.with_name(f"{path.name}.safetensors"), dtype)
    return model.to(device).eval()


def _why_skipped(name: str) -> str:
    if "SLat" not in name:
        return f"{name} is not a model of sparse structures"
    needs = "spconv and kaolin" if "Mesh" in name else "spconv"
    return f"{name} works on structured latents, which needs {needs}"


def _sampler(settings: Settings) -> SamplerConfig:
    args = _Arguments(settings, "params")
    interval = args.numbers("cfg_interval", [0.0, 1.0])
    if len(interval) != 2:
        raise ValueError(f"cfg_interval of {args.name} must be two times, not {interval}")
    guidance = args.number("cfg_strength", 3.0) if args.name != "FlowEulerSampler" else 0.0
    return SamplerConfig(args.integer("steps", 50), guidance, (interval[0], interval[1]), args.number("rescale_t", 1.0))


def _normalization(args: Settings, where: Path) -> Normalization | None:
    if "slat_normalization" not in args:
        return None
    lists = _Arguments({"name": "slat_normalization", "args": _entry(args, "slat_normalization", where)})
    return Normalization(torch.tensor(lists.numbers("mean")), torch.tensor(lists.numbers("std")))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")  # the file's fault, not the caller's
    return content


def _entry(content: Settings, key: str, where: object) -> dict[str, Any]:
    entry = content.get(key)
    if not isinstance(entry, dict):
        raise ValueError(f"{where} has no object {key!r}")
    return entry


def _inside(folder: Path, stem: object) -> Path:
    """The files of a model, which do not lie outside the folder."""
    place = PurePosixPath(str(stem))
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(f"{folder / 'pipeline.json'} names files outside its folder: {stem}")
    return folder / place


def _first(keys: list[str]) -> str:
    more = ", ..." if len(keys) > N_SHOWN else ""
    return ", ".join(keys[:N_SHOWN]) + more
