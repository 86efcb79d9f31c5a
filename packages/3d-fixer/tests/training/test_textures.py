"""The texturing stage learns from voxels that exist, in two phases, and ends the same whether interrupted or not."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from fixer3d.configs import ModelConfig, TrainConfig
from fixer3d.network.model import FixerModel, as_floats
from fixer3d.network.texture import MAX_OFFSET, TextureAutoencoder
from fixer3d.scenes.dataset import save_scene
from fixer3d.training import textures
from fixer3d.training.building import build_voxels
from fixer3d.training.runs import load_networks, save_networks, train_stage, trained_stages
from fixer3d.training.stages import make_loss, phases
from fixer3d.training.textures import texture_examples, train_autoencoder
from fixer3d.training.trainer import Trainer
from separata.testing import interrupted_after

CONFIG = TrainConfig(steps=4, batch_size=2, lr=1e-3, ema=0.5, n_variants=2, alignment=0.5)


@pytest.fixture(scope="module")
def voxels(made):
    return list(build_voxels([made], "texture", CONFIG, 16, 32))


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = FixerModel(ModelConfig.toy(), ("fine",), texture=True)
    for layer in (model.texturer.flow.out_layer, *model.texturer.flow.control_path):
        torch.nn.init.normal_(layer.weight, std=0.3)
    return model


@pytest.fixture
def examples(model, voxels):
    return texture_examples(model, voxels)


def value(loss, batch):
    return loss(batch, torch.Generator().manual_seed(1))["loss"].item()


@pytest.mark.parametrize("phase", [0, 1])
def test_what_pads_is_not_seen_by_the_loss(model, examples, phase):
    batch = examples.draw(3, torch.Generator().manual_seed(0))
    pads = torch.arange(batch.surface.exists.shape[1]) >= torch.tensor([[20], [50], [95]])
    batch = replace(batch, surface=replace(batch.surface, exists=~pads))
    loss = make_loss(model, "texture", CONFIG, phase)
    for layer in model.texturer.flow.control_path:
        torch.nn.init.normal_(layer.weight, std=0.3)

    def filled(part):
        return torch.where(pads.reshape(*pads.shape, *[1] * (part.ndim - 2)), torch.ones_like(part), part)

    surface = {name: part if name == "exists" else filled(part) for name, part in vars(batch.surface).items()}
    other = replace(batch, surface=type(batch.surface)(**surface))
    assert value(loss, other) == pytest.approx(value(loss, batch), rel=1e-5)
    shown = replace(batch, surface=replace(batch.surface, rgb=255 - batch.surface.rgb))
    assert value(loss, shown) != pytest.approx(value(loss, batch), rel=1e-4)


def test_a_batch_has_some_voxels_of_each_object_that_exist(examples):
    few = torch.zeros_like(examples.surface.exists)
    few[..., 300:305] = True
    rare = replace(examples, surface=replace(examples.surface, exists=few))
    drawn = rare.draw(8, torch.Generator().manual_seed(0)).surface
    assert drawn.exists.sum(1).tolist() == [5] * 8
    first, second = (examples.draw(2, torch.Generator().manual_seed(seed)).surface for seed in (0, 1))
    assert first.exists.all()
    assert all(len(one.unique(dim=0)) == len(one) == textures.N_DRAWN for one in first.coordinates)
    assert not torch.equal(first.coordinates, second.coordinates)
    rows = {
        (*place, *color)
        for place, color in zip(
            *(getattr(examples.surface, name).flatten(0, 2).tolist() for name in ("coordinates", "rgb")), strict=True
        )
    }
    assert all(
        (*place, *color) in rows
        for place, color in zip(first.coordinates[0].tolist(), first.rgb[0].tolist(), strict=True)
    )


def test_the_loss_is_the_mean_squared_error_of_the_velocity(model, examples):
    batch = examples.draw(3, torch.Generator().manual_seed(0))
    loss = make_loss(model, "texture", replace(CONFIG, p_uncond=0.0))
    draw = torch.Generator().manual_seed(1)
    z = model.texturer.autoencoder.encode(batch.rgb, batch.surface.offset)
    eps, t = torch.randn(z.shape, generator=draw), (1 + torch.randn(3, generator=draw)).sigmoid()
    x = (1 - t[:, None, None]) * z + (1e-5 + (1 - 1e-5) * t[:, None, None]) * eps
    v, _ = model.texturer.flow.trunk(x, 1000 * t, batch.surface.voxels, batch.clean)
    errors = [((1 - 1e-5) * eps[i] - z[i] - v[i])[batch.surface.exists[i]].square() for i in range(3)]
    assert value(loss, batch) == pytest.approx(torch.cat(errors).mean().item(), rel=1e-4)


def test_each_phase_trains_its_own_networks(model, examples):
    trunk, control = {"t_embedder", "input_layer", "blocks", "out_layer"}, {"vis_ratio_embedder", "input_layer_cond"}
    expected = [{f"flow.{name}" for name in trunk}]
    expected.append({"features.layers", *(f"flow.{name}" for name in control | {"control_blocks", "control_path"})})
    assert [one.steps for one in phases("texture", CONFIG)] == [2, 2]
    assert phases("fine", CONFIG) == (CONFIG,)
    for phase, config in enumerate(phases("texture", replace(CONFIG, lr=0.1))):
        loss = make_loss(model, "texture", config, phase)
        before = {name: value.clone() for name, value in model.named_parameters()}
        Trainer(loss, examples, config).fit()
        changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
        assert {".".join(name.split(".")[1:3]) for name in changed} == expected[phase]
        assert all(name.startswith("texturer.") for name in changed)


def test_control_begins_with_the_trunk_and_aligned_where_the_whole_object_is_seen(model, examples):
    loss = make_loss(model, "texture", CONFIG, 1)
    flow = model.texturer.flow
    source = flow.blocks[0].state_dict()
    assert all(torch.equal(value, flow.control_blocks[0].state_dict()[name]) for name, value in source.items())
    for layer in flow.control_path:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    batch = examples.draw(3, torch.Generator().manual_seed(0))
    whole = replace(batch, tokens=replace(batch.tokens, masked_crop=batch.clean))
    seen = loss(whole, torch.Generator().manual_seed(1))
    assert seen["alignment"].item() == pytest.approx(-1, abs=1e-5)
    torch.testing.assert_close(seen["loss"], seen["mse"] - 0.5)
    assert loss(batch, torch.Generator().manual_seed(1))["alignment"] > seen["alignment"]


def test_where_the_image_is_dropped_it_does_not_matter(model, examples):
    batch = examples.draw(4, torch.Generator().manual_seed(0))
    other = replace(batch, clean=torch.randn_like(batch.clean))
    for p_uncond, same in ((0.999999, True), (0.0, False)):
        loss = make_loss(model, "texture", replace(CONFIG, p_uncond=p_uncond))
        assert (value(loss, batch) == pytest.approx(value(loss, other), rel=1e-6)) is same


def test_after_its_training_the_autoencoder_gives_colors_back(examples):
    torch.manual_seed(0)
    autoencoder = TextureAutoencoder()
    surface = examples.surface
    rgb, offset = as_floats(surface.rgb[surface.exists]), surface.offset[surface.exists].float()
    assert train_autoencoder(autoencoder, rgb, offset) < 0.03
    assert not any(parameter.requires_grad for parameter in autoencoder.parameters())
    draws = torch.rand(2000, 4, generator=torch.Generator().manual_seed(5))
    z = autoencoder.encode(draws[:, :3], MAX_OFFSET * (2 * draws[:, 3] - 1))
    colors, offsets = autoencoder.decode(z)
    assert (colors - draws[:, :3]).abs().mean() < 0.05
    assert (offsets - MAX_OFFSET * (2 * draws[:, 3] - 1)).abs().mean() < 0.1
    # A small error of a latent is a small error of a color.
    disturbed = autoencoder.decode(z + 0.1 * torch.randn(z.shape, generator=torch.Generator().manual_seed(6)))[0]
    assert (disturbed - colors).abs().mean() < 0.1
    latents = autoencoder.encode(rgb, offset)
    torch.testing.assert_close(latents.mean(0), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=1e-3, rtol=0)


def test_examples_of_another_stage_have_no_colors(model, made):
    with pytest.raises(ValueError, match="build them for the stage texture"):
        texture_examples(model, build_voxels([made], "fine", CONFIG, 16, 32))


def test_an_interrupted_stage_ends_like_one_that_was_not(made, tmp_path, monkeypatch):
    monkeypatch.setattr(textures, "train_autoencoder", partial(train_autoencoder, steps=2))
    save_scene(made, tmp_path / "scenes" / "0")
    torch.manual_seed(0)
    save_networks(FixerModel(ModelConfig.toy(), ("control-pre", "fine")), tmp_path / "fine")
    run = partial(train_stage, "texture", tmp_path / "scenes", CONFIG, start_from=tmp_path / "fine", device="cpu")
    straight = run(tmp_path / "straight")
    assert trained_stages(tmp_path / "straight")[-1] == "texture"
    # The autoencoder's two steps, then the second of the trunk, and later the second of the control branch.
    for number in (2 + 2, 2 + 1 + 2):
        with pytest.raises(KeyboardInterrupt), interrupted_after(number):
            run(tmp_path / "stopped", resume=True)
    resumed = run(tmp_path / "stopped", resume=True)
    assert resumed.row == straight.row
    assert [resumed.row["step"], sorted(key for key in resumed.row if "mse" in key)] == [4, ["mse"]]
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("straight", "stopped")]
    assert histories[0] == histories[1]
    first, second = (load_networks(tmp_path / name).state_dict() for name in ("straight", "stopped"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    before = load_networks(tmp_path / "fine").state_dict()
    assert all(torch.equal(value, first[name]) for name, value in before.items())
