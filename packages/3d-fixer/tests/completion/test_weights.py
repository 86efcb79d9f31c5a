"""Networks by name, and those of TRELLIS's layout behind the same interface."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fixer3d.completion.fixer import Fixer, load, save
from fixer3d.completion.pretrained import TrellisModels
from fixer3d.completion.weights import load_model, model_from_trellis
from fixer3d.configs import UPRIGHT, ModelConfig, SamplerConfig, SceneConfig, TrainConfig
from fixer3d.flow.sampling import sample
from fixer3d.network.model import FixerModel
from fixer3d.scenes.generation import generate_scene
from fixer3d.training.building import build_voxels, encode_examples
from fixer3d.training.stages import PriorLoss

FEW = SamplerConfig(n_steps=1)


class Means(nn.Module):
    """Four tokens with the mean of each quarter of an image."""

    def forward(self, images):
        return nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 2).flatten(2).mT.expand(-1, -1, 32)


def test_released_networks_complete_a_scene_with_encoders_of_their_own(toy, scene):
    models = TrellisModels(
        {
            "sparse_structure_flow_model": toy.prior,
            "scene_sparse_structure_flow_coarse_model": toy.controls["coarse"],
            "scene_sparse_structure_flow_fine_model": toy.controls["fine"],
            "sparse_structure_encoder": toy.vae.encoder,
            "sparse_structure_decoder": toy.vae.decoder,
        }
    )
    fixer = Fixer(model_from_trellis(models, Means(), Means()))
    assert fixer.image_size == 518
    assert not any(parameter.is_meta for parameter in fixer.model.parameters())
    one = fixer.complete(scene, scene.names[:1], sampler=FEW)[0]
    seen = scene.observe(one.name, 8).points
    assert np.linalg.norm(one.coarse.center - seen.mean(0)) < one.coarse.scale


def test_stages_are_sampled_as_the_weights_want_it_or_as_is_asked(toy, monkeypatch):
    cloud, asked = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)), []
    monkeypatch.setattr(toy, "samplers", {"coarse": SamplerConfig(n_steps=2), "fine": SamplerConfig(n_steps=3)})
    monkeypatch.setattr("fixer3d.completion.fixer.sample", lambda *args: asked.append(args[2]) or sample(*args))
    Fixer(toy).complete_points(cloud)
    Fixer(toy).complete_points(cloud, sampler=FEW)
    assert asked == [*toy.samplers.values(), FEW, FEW]


def test_a_fixer_is_saved_and_loaded(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "samplers", {"fine": SamplerConfig(n_steps=3, interval=(0.25, 1.0))})
    save(Fixer(toy), tmp_path / "own")
    cloud = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    first, second = (one.complete_points(cloud, sampler=FEW) for one in (Fixer(toy), load(tmp_path / "own", "cpu")))
    assert load(tmp_path / "own", "cpu").model.samplers == toy.samplers
    assert (first.voxels == second.voxels).float().mean() > 0.9  # weights are in half precision
    with pytest.raises(ValueError, match="already holds"):
        save(Fixer(toy), tmp_path / "own")


def test_what_is_not_there_is_told_with_what_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no training.*weights that come with this version"):
        load(tmp_path)


def test_the_weights_of_the_small_model_fit_into_16_megabytes():
    model = FixerModel(ModelConfig())
    assert 2 * sum(value.numel() for value in model.state_dict().values()) < 16 * 2**20


def test_the_upright_weights_know_objects_they_were_not_trained_on():
    """An untrained flow has a loss of about 2."""
    model = load_model("upright", "cpu")
    scenes = [generate_scene(SceneConfig((4, 4), n_views=1), seed) for seed in (90_001, 90_002)]
    config = TrainConfig(n_variants=1, augment=UPRIGHT)
    voxels = list(build_voxels(scenes, "upright", config, 32, 64))
    assert len(voxels) >= 6
    grids = torch.cat([one.target for one in voxels])
    with torch.no_grad():
        again = model.decode(model.encode(grids.float())) > 0
    assert float(((again & grids).flatten(1).sum(1) / (again | grids).flatten(1).sum(1)).mean()) > 0.75
    examples = encode_examples(model, voxels, with_partial=False)
    batch = examples.draw(64, torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = PriorLoss(model, replace(config, p_uncond=0.0))(batch, torch.Generator().manual_seed(1))["loss"]
    assert loss < 0.6
