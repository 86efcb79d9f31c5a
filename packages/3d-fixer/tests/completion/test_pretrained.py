import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from fixer3d.completion.pretrained import load_trellis, load_weights
from fixer3d.configs import FlowConfig, SamplerConfig, VAEConfig
from fixer3d.flow.sampling import make_velocity, sample
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch
from fixer3d.network.trunk import FlowTrunk
from fixer3d.network.vae import SparseStructureDecoder, SparseStructureEncoder

FLOW = {"resolution": 4, "in_channels": 8, "out_channels": 8, "model_channels": 24, "cond_channels": 10, "num_heads": 2}
FLOW |= {"mlp_ratio": 4, "patch_size": 1, "pe_mode": "ape", "qk_rms_norm": True, "use_fp16": True}
VAE = {"latent_channels": 8, "num_res_blocks": 1, "num_res_blocks_middle": 1}
SETTINGS = {
    "sparse_structure_flow_model": ("ss_flow", "SparseStructureFlowModel", FLOW | {"num_blocks": 3}),
    "scene_sparse_structure_flow_coarse_model": (
        "coarse",
        "SceneSparseStructureFlowModule",
        FLOW | {"num_blocks": 2, "use_checkpoint": True, "resume_ckpts": None},
    ),
    "scene_sparse_structure_flow_fine_model": (
        "fine",
        "SceneSparseStructureFlowModule",
        FLOW | {"num_blocks": 2, "pretrained_ss_flow_dit": "somewhere"},
    ),
    "sparse_structure_encoder": ("ss_enc", "SparseStructureEncoder", VAE | {"in_channels": 1, "channels": [4, 8]}),
    "sparse_structure_decoder": (
        "ss_dec",
        "SparseStructureDecoder",
        VAE | {"out_channels": 1, "channels": [8, 4], "use_fp16": True},
    ),
    "slat_flow_model": ("slat_flow", "ElasticSLatFlowModel", {}),
    "slat_decoder_mesh": ("slat_mesh", "ElasticSLatMeshDecoder", {}),
    "slat_decoder_gs": ("slat_gs", "ElasticSLatGaussianDecoder", {}),
}
PIPELINE = {
    "name": "ThreeDFixerPipeline",
    "args": {
        "models": {name: f"ckpts/{stem}" for name, (stem, _, _) in SETTINGS.items()},
        "sparse_structure_sampler": {
            "name": "FlowEulerGuidanceIntervalSampler",
            "args": {"sigma_min": 1e-5},
            "params": {"steps": 12, "cfg_strength": 7.5, "cfg_interval": [0.5, 0.95], "rescale_t": 3.0},
        },
        "coarse_sparse_structure_sampler": {"name": "FlowEulerCfgSampler", "args": {}, "params": {"steps": 6}},
        "slat_sampler": {"name": "FlowEulerSampler", "args": {"sigma_min": 1e-5}, "params": {"cfg_strength": 3.0}},
        "slat_normalization": {"mean": [0.5] * 8, "std": [2.0] * 8},
        "image_cond_model": "dinov2_vitl14_reg",
        "scene_cond_model": "Ruicheng/moge-2-vitl",
    },
}
CONFIG = FlowConfig(4, 8, 1, 24, 3, 2, 2, 10)


def randomized(module):
    for parameter in module.parameters():
        parameter.data = 0.2 * torch.randn_like(parameter)
    return module


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """A folder as it is published, and what its models were saved from; half precision but for the outermost layers."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("trellis")
    (folder / "ckpts").mkdir()
    (folder / "pipeline.json").write_text(json.dumps(PIPELINE))
    vae = VAEConfig(8, (4, 8), 8, 1, 1)
    sources = {
        "ss_flow": FlowTrunk(CONFIG),
        "coarse": ControlBranch(CONFIG),
        "fine": ControlBranch(CONFIG),
        "ss_enc": SparseStructureEncoder(vae),
        "ss_dec": SparseStructureDecoder(vae),
    }
    for stem, name, args in SETTINGS.values():
        (folder / f"ckpts/{stem}.json").write_text(json.dumps({"name": name, "args": args}))
        if stem in sources:
            state = randomized(sources[stem]).state_dict()
            state = {key: value.half() if key.startswith("blocks.") else value for key, value in state.items()}
            save_file(state, folder / f"ckpts/{stem}.safetensors")
    return folder, sources


@pytest.fixture
def folder(official, tmp_path):
    return shutil.copytree(official[0], tmp_path / "copy")


def change(path, **values):
    content = json.loads(path.read_text())
    content["args"] = {**content["args"], **values}
    path.write_text(json.dumps(content))


def test_every_model_of_a_folder_gives_what_it_gave_when_it_was_saved(official):
    folder, sources = official
    loaded = load_trellis(folder)
    shapes = [(2, 5, 10), (2, 10, 10), (2, 7, 10), (2, 8, 4, 4, 4), (2, 64, 4, 4, 4)]
    given, x, t = Conditions(*map(torch.randn, shapes), torch.rand(2)), torch.randn(2, 8, 4, 4, 4), torch.rand(2) * 1000
    trunk, occupancy = loaded.trunk, torch.rand(1, 1, 8, 8, 8).round()
    close = {"atol": 2e-2, "rtol": 2e-2}
    torch.testing.assert_close(trunk(x, t, given.masked_crop), sources["ss_flow"](x, t, given.masked_crop), **close)
    for stage in ("coarse", "fine"):
        flow, source = loaded.flow(stage), sources[stage]
        assert flow.control.config.n_control_blocks == 2
        for key, value in flow.control.state_dict().items():
            torch.testing.assert_close(value, source.state_dict()[key], atol=1e-3, rtol=1e-3)
    vae = loaded.vae()
    assert vae.config == VAEConfig(8, (4, 8), 8, 1, 1)
    latent = vae.encode(occupancy)
    torch.testing.assert_close(latent, sources["ss_enc"](occupancy).chunk(2, 1)[0], **close)
    torch.testing.assert_close(vae.decode(latent), sources["ss_dec"](latent), **close)
    drawn = sample(make_velocity(loaded.flow("fine"), given), x, SamplerConfig(2))
    assert vae.decode(drawn).shape == (2, 1, 8, 8, 8)
    assert all(not model.training for model in loaded.models.values())


def test_the_rest_of_the_pipeline_is_read(official):
    loaded = load_trellis(official[0])
    assert loaded.sampler("fine") == SamplerConfig(12, 7.5, (0.5, 0.95), 3.0)
    assert loaded.sampler("coarse") == SamplerConfig(6, 3.0, (0.0, 1.0), 1.0)
    assert loaded.sampler("texture") == SamplerConfig(50, 0.0, (0.0, 1.0), 1.0)
    assert loaded.slat_normalization.std.tolist() == [2.0] * 8
    assert (loaded.image_encoder, loaded.scene_encoder) == ("dinov2_vitl14_reg", "Ruicheng/moge-2-vitl")
    assert loaded.skipped == {
        "slat_flow_model": "ElasticSLatFlowModel works on structured latents, which needs spconv",
        "slat_decoder_mesh": "ElasticSLatMeshDecoder works on structured latents, which needs spconv and kaolin",
        "slat_decoder_gs": "ElasticSLatGaussianDecoder works on structured latents, which needs spconv",
    }


def test_models_are_built_in_the_precision_that_is_asked_for(official):
    loaded = load_trellis(official[0], dtype=torch.bfloat16)
    assert {value.dtype for value in loaded.flow("coarse").state_dict().values()} == {torch.bfloat16}
    tokens, x = torch.randn(1, 5, 10), torch.randn(1, 8, 4, 4, 4)
    v = loaded.trunk(x, torch.tensor([500.0]), tokens)
    exact = load_trellis(official[0]).trunk(x, torch.tensor([500.0]), tokens)
    assert (v - exact).norm() < 0.05 * exact.norm()


def test_keys_that_do_not_fit_are_reported_by_kind_and_the_first_of_each(folder):
    path = folder / "ckpts/ss_flow.safetensors"
    state = load_file(path)
    for i in range(3):
        state[f"mine.{i}"] = state.pop(f"blocks.{i}.norm2.weight")
    state["mine.3"] = torch.zeros(1)
    state["out_layer.weight"] = torch.zeros(3, 4)
    save_file(state, path)
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole message is looked at
        load_trellis(folder)
    message = str(error.value)
    assert message.startswith(f"the keys of {path} do not fit the model: ")
    missing = ", ".join(f"blocks.{i}.norm2.weight" for i in range(3))
    assert f"3 missing ({missing})" in message
    assert "4 unexpected (mine.0, mine.1, mine.2, ...)" in message
    assert "1 of another shape (out_layer.weight (3, 4) instead of (8, 24))" in message


@pytest.mark.parametrize(
    ("stem", "values", "words"),
    [
        ("ss_flow", {"pe_mode": "rope"}, "pe_mode = 'rope' is not supported, only 'ape'"),
        ("ss_flow", {"share_mod": True}, "share_mod = True is not supported"),
        ("coarse", {"qk_rms_norm_cross": True}, "qk_rms_norm_cross = True is not supported"),
        ("ss_flow", {"out_channels": 16}, "out_channels = 16 is not supported, only 8"),
        ("ss_flow", {"window": 3}, "SparseStructureFlowModel have window, which is not known"),
        (
            "ss_flow",
            {"model_channels": "wide"},
            "model_channels of .* must be a number",
        ),
        ("ss_flow", {"num_heads": 1.5}, "num_heads of SparseStructureFlowModel must be an integer"),
        ("ss_flow", {"num_blocks": 0}, "blocks must be positive, not 0"),
        ("ss_flow", {"num_heads": 0, "num_head_channels": 0}, "num_head_channels of .* must be positive, not 0"),
        ("ss_flow", {"resolution": float("inf")}, "resolution of .* must be a number, not inf"),
        ("ss_dec", {"norm_type": "group"}, "norm_type = 'group' is not supported"),
        ("ss_dec", {"channels": 8}, "channels of SparseStructureDecoder must be a list of numbers, not 8"),
    ],
)
def test_settings_that_are_not_supported_are_refused(folder, stem, values, words):
    change(folder / f"ckpts/{stem}.json", **values)
    with pytest.raises(ValueError, match=words):
        load_trellis(folder)


def test_a_model_whose_name_is_not_text_is_skipped(folder):
    (folder / "ckpts/ss_flow.json").write_text('{"name": ["SparseStructureFlowModel"], "args": {}}')
    assert "is not a model of sparse structures" in load_trellis(folder).skipped["sparse_structure_flow_model"]


def test_a_missing_setting_is_named(folder):
    (folder / "ckpts/ss_flow.json").write_text('{"name": "SparseStructureFlowModel", "args": {}}')
    with pytest.raises(ValueError, match="settings of SparseStructureFlowModel lack model_channels"):
        load_trellis(folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"models": ["ckpts/ss_flow"]}, "has no object 'models'"),
        ({"models": {"a": "../../elsewhere"}}, "outside its folder: ../../elsewhere"),
        ({"models": {"a": "/etc/passwd"}}, "outside its folder"),
        ({"slat_normalization": {"mean": [1.0]}}, "settings of slat_normalization lack std"),
        (
            {"slat_sampler": {"name": "Euler", "params": {"steps": "many"}}},
            "steps of Euler must be a number",
        ),
        ({"slat_sampler": []}, "has no object 'slat_sampler'"),
        ({"slat_sampler": {"params": {"cfg_interval": [0.9, 0.1]}}}, "interval"),
        ({"slat_sampler": {"params": {"cfg_interval": [0.9]}}}, "cfg_interval of .* must be two times"),
    ],
)
def test_a_pipeline_that_cannot_be_read_is_refused(folder, values, words):
    change(folder / "pipeline.json", **values)
    with pytest.raises(ValueError, match=words):
        load_trellis(folder)


def test_files_that_are_missing_or_of_another_kind_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no .*pipeline.json"):
        load_trellis(tmp_path)
    path = folder / "ckpts/ss_flow.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(ValueError, match="ss_flow.safetensors is not a safetensors file"):
        load_trellis(folder)
    # Pickled weights are not read, whatever they hold.
    path.rename(path.with_suffix(".pt"))
    with pytest.raises(FileNotFoundError, match=r"there is no .*; ss_flow.pt is not read, convert it to safetensors"):
        load_trellis(folder)
    (folder / "pipeline.json").write_text("{")
    with pytest.raises(ValueError, match="pipeline.json is not JSON"):
        load_trellis(folder)


def test_a_folder_of_trellis_alone_has_a_trunk_and_no_control(folder):
    models = {name: stem for name, stem in PIPELINE["args"]["models"].items() if not name.startswith("scene")}
    change(folder / "pipeline.json", models=models)
    loaded = load_trellis(folder)
    assert loaded.trunk.config.n_blocks == 3
    with pytest.raises(ValueError, match="no scene_sparse_structure_flow_coarse_model among sparse_structure_flow"):
        loaded.flow("coarse")


def test_weights_of_a_users_own_module_survive_a_round_trip(tmp_path):
    source, target = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)
    save_file({key: value.half() for key, value in source.state_dict().items()}, tmp_path / "a.safetensors")
    load_weights(target, tmp_path / "a.safetensors")
    torch.testing.assert_close(target.weight, source.weight, atol=1e-3, rtol=1e-3)
    assert target.weight.dtype == torch.float32
