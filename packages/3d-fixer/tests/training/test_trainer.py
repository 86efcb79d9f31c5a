"""Stages train what they are to train and nothing else; an interrupted training ends as one that was not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fixer3d.configs import AugmentConfig, ModelConfig, TrainConfig
from fixer3d.flow.rectified import RectifiedFlow
from fixer3d.network.model import FixerModel, ObjectImages
from fixer3d.scenes.boards import half_hidden
from fixer3d.scenes.categories import make_object
from fixer3d.training.building import build_voxels, encode_examples, measure_latents, occupancy_examples
from fixer3d.training.examples import OccupancyExamples
from fixer3d.training.stages import ControlLoss, make_loss, noised
from fixer3d.training.trainer import Trainer, learning_rate
from separata.testing import interrupted_after

CONFIG = TrainConfig(steps=4, batch_size=2, lr=1e-3, ema=0.5, n_variants=2, p_no_image=0.2)


@pytest.fixture(scope="module")
def voxels(made):
    return list(build_voxels([made], "coarse", CONFIG, 16, 32))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return FixerModel(ModelConfig.toy(), ())


@pytest.fixture
def examples(model, voxels):
    return encode_examples(model, voxels).with_tokens(model)


def moved(model, before):
    """The parts of a model whose weights changed."""
    return {name.split(".")[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("stage", "trained"),
    [
        ("vae", {"vae"}),
        ("upright", {"prior", "encoder"}),
        ("prior", {"prior", "encoder"}),
        ("control-pre", {"controls", "scene_encoders"}),
        ("coarse", {"controls", "scene_encoders"}),
    ],
)
def test_a_stage_trains_its_own_networks_and_leaves_the_others(model, voxels, examples, stage, trained):
    if stage == "coarse":
        model.add_stage("control-pre")
    torch.nn.init.normal_(model.prior.out_layer.weight)
    loss = make_loss(model, stage, CONFIG)
    before = {name: value.clone() for name, value in model.named_parameters()}
    Trainer(loss, occupancy_examples(voxels) if stage == "vae" else examples, CONFIG).fit()
    assert moved(model, before) == trained
    if stage == "coarse":
        assert all(
            torch.equal(value, before[name]) for name, value in model.named_parameters() if "control-pre" in name
        )


def test_a_control_branch_begins_with_the_weights_of_the_stage_before(model):
    make_loss(model, "control-pre", CONFIG)
    torch.nn.init.normal_(model.controls["control-pre"].control_path[0].weight)
    make_loss(model, "fine", CONFIG)
    first, second = (model.controls[stage].state_dict() for stage in ("control-pre", "fine"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_stage_without_the_one_before_is_refused(model):
    with pytest.raises(ValueError, match="begins with the weights of control-pre"):
        make_loss(model, "coarse", CONFIG)


def test_before_training_features_are_aligned_if_the_object_is_seen_whole(model, examples):
    model.add_stage("control-pre")
    torch.nn.init.normal_(model.prior.out_layer.weight)
    config = TrainConfig(p_uncond=0.0, alignment=0.5)
    batch = examples.draw(4, torch.Generator().manual_seed(0))
    loss = ControlLoss(model, "control-pre", config)
    occluded = loss(batch, torch.Generator().manual_seed(1))
    whole = type(batch.tokens)(**{**vars(batch.tokens), "clean": batch.tokens.masked_crop})
    seen = loss(type(batch)(**{**vars(batch), "tokens": whole}), torch.Generator().manual_seed(1))
    assert seen["alignment"].item() == pytest.approx(-1, abs=1e-5)
    assert seen["alignment"] < occluded["alignment"] <= 1
    torch.testing.assert_close(seen["loss"], seen["mse"] + 0.5 * seen["alignment"])
    torch.testing.assert_close(seen["mse"], occluded["mse"])


def test_when_everything_is_dropped_conditions_do_not_matter(model, examples):
    model.add_stage("control-pre")
    for layer in model.controls["control-pre"].control_path:
        torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(model.prior.out_layer.weight)
    batch = examples.draw(4, torch.Generator().manual_seed(0))
    other = type(batch)(
        **{**vars(batch), "partial": torch.randn_like(batch.partial), "confidence": 0 * batch.confidence}
    )
    for p_uncond, same in ((0.999999, True), (0.0, False)):
        loss = ControlLoss(model, "control-pre", TrainConfig(p_uncond=p_uncond))
        first, second = (loss(one, torch.Generator().manual_seed(1))["loss"].item() for one in (batch, other))
        assert (first == pytest.approx(second, abs=1e-6)) is same


def test_an_interrupted_training_ends_like_one_that_was_not(voxels, tmp_path):
    def run(checkpoint=None):
        torch.manual_seed(0)
        model = FixerModel(ModelConfig.toy(), ())
        return Trainer(
            make_loss(model, "vae", CONFIG),
            occupancy_examples(voxels),
            CONFIG,
            checkpoint=checkpoint,
            checkpoint_every=1,
        )

    straight = run()
    straight.fit()
    stopped = run(tmp_path / "checkpoint.safetensors")
    with pytest.raises(KeyboardInterrupt), interrupted_after(2):
        stopped.fit()
    resumed = run(tmp_path / "checkpoint.safetensors")
    assert 0 < resumed.done < CONFIG.steps
    resumed.fit()
    for first, second in zip(straight.parameters, resumed.parameters, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_a_checkpoint_of_another_training_is_refused(voxels, examples, model, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    Trainer(make_loss(model, "vae", CONFIG), occupancy_examples(voxels), CONFIG, checkpoint=path).save()
    with pytest.raises(ValueError, match="not the checkpoint of this training"):
        Trainer(make_loss(model, "prior", CONFIG), examples, CONFIG, checkpoint=path)


def test_a_loss_that_is_not_finite_ends_the_training(model):
    broken = OccupancyExamples(torch.ones(4, 16, 16, 16, dtype=torch.bool))
    with torch.no_grad():
        model.vae.decoder.out_layer[2].bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="diverged"):
        Trainer(make_loss(model, "vae", CONFIG), broken, CONFIG, log_every=1).fit()


def test_latents_are_normalized_channel_by_channel(model, voxels):
    grids = occupancy_examples(voxels).occupancy
    measure_latents(model, grids)
    latents = model.encode(grids.float()).transpose(0, 1).flatten(1)
    torch.testing.assert_close(latents.mean(1), torch.zeros(8), atol=0.01, rtol=0)
    torch.testing.assert_close(latents.std(1), torch.ones(8), atol=0.01, rtol=0)
    torch.testing.assert_close(
        model.decode(model.encode(grids[:2].float())), model.vae(grids[:2, None].float())[0][:, 0], atol=1e-4, rtol=1e-4
    )


def test_exact_depth_is_a_share_of_the_examples_whose_visible_voxels_are_then_the_object_s(made):
    config = replace(CONFIG, n_variants=1)
    found = {}
    for exact in (0.0, 0.5, 1.0):
        augmented = replace(config, augment=replace(config.augment, exact=exact))
        found[exact] = [
            one for seed in range(4) for one in build_voxels([made], "fine", replace(augmented, seed=seed), 16, 32)
        ]
    shares = {exact: np.mean([float(one.depth_ratio[0] == 0) for one in some]) for exact, some in found.items()}
    assert (shares[0.0], shares[1.0]) == (0, 1)
    assert 0 < shares[0.5] < 1
    on_target = {
        exact: np.mean([float(one.target[one.partial].float().mean()) for one in found[exact]]) for exact in found
    }
    assert on_target[1.0] > max(0.95, on_target[0.0])


def test_the_first_prior_sees_objects_as_they_were_made_however_they_are_turned():
    """A sofa that stands the other way round."""
    sofa = make_object("sofa", np.random.default_rng(0))
    rows = [half_hidden({"sofa": sofa}, image_size=64, seed=seed) for seed in (0, 3)]
    assert abs(rows[0].placements[0].yaw - rows[1].placements[0].yaw) > 3
    straight = replace(CONFIG, n_variants=1, augment=AugmentConfig(yaw=0.0, tilt=0.0))
    ious = {}
    for stage in ("upright", "prior"):
        first, second = (next(iter(build_voxels([row], stage, straight, 16, 32))).target[0] for row in rows)
        ious[stage] = float((first & second).sum() / (first | second).sum())
    assert ious["upright"] > 0.7
    assert ious["prior"] < 0.4


@pytest.mark.parametrize(
    "wrong",
    [
        {"exact": 1.1},
        {"exact": float("nan")},
        {"tilt": float("nan")},
        {"yaw": float("inf")},
        {"scale": (1.0, float("inf"))},
    ],
)
def test_augmentation_outside_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match="augmentation cannot have these settings"):
        AugmentConfig(**wrong)


def test_any_seed_builds_examples(made):
    for seed in (2**63 - 1, 2**44):
        assert list(build_voxels([made], "fine", replace(CONFIG, n_variants=1, seed=seed), 16, 32))
    with pytest.raises(ValueError, match="seed must be at least 0 and less than"):
        replace(CONFIG, seed=2**63)


def test_examples_are_bytes_of_the_object_s_own_view(voxels, made):
    assert len(voxels) == len(made.views[0].visible())
    for one in voxels:
        assert isinstance(one.images, ObjectImages)
        assert one.images.crop.dtype == torch.uint8
        assert one.target.shape == (2, 16, 16, 16)
        assert one.clean.any()
        assert ((one.depth_ratio >= 0) & (one.depth_ratio <= 1)).all()
        assert (one.images.crop_mask > 0).float().mean() > 0.05


def test_the_learning_rate_falls_along_half_a_cosine():
    config = TrainConfig(steps=10, lr=1.0, cosine=True)
    assert [learning_rate(step, config) for step in (0, 5, 10)] == pytest.approx([1.0, 0.525, 0.05])
    assert learning_rate(7, TrainConfig(steps=10, lr=0.5)) == 0.5


def test_a_share_of_a_prior_s_examples_is_nothing_but_noise():
    target, path = torch.ones(4000, 2), RectifiedFlow()
    eps, t, x = noised(path, target, torch.Generator().manual_seed(0), 0.3)
    at_noise = t == 1
    assert float(at_noise.float().mean()) == pytest.approx(0.3, abs=0.03)
    torch.testing.assert_close(x[at_noise], eps[at_noise])
    others = noised(path, target, torch.Generator().manual_seed(0))
    torch.testing.assert_close(x[~at_noise], others[2][~at_noise])
    assert not (others[1] == 1).any()
