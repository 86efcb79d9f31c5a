"""Networks with their normalizations."""

import pytest
import torch
from tiny import data, model

from mt_deeponet import DataShape, ModelConfig, make_model


def test_published_settings_are_the_defaults():
    from mt_deeponet import count_parameters

    fisher = make_model(ModelConfig(), DataShape((64,), 4, 2, 1280))
    darcy = make_model(ModelConfig(), DataShape((100, 100), 0, 2, 10_000))
    plate = make_model(ModelConfig(), DataShape((2,), 0, 3, 3456))
    assert [count_parameters(one) for one in (fisher, darcy)] == [136_664, 559_164]
    assert [one.architecture for one in (fisher, darcy, plate)] == ["mlp", "conv", "residual"]
    assert plate.network.trunk.out.out_features == 200
    assert [layer.out_features for layer in plate.network.branch.dense] == [32, 64, 128, 128, 200]


@pytest.mark.parametrize("kind", ["fisher", "darcy", "plate"])
def test_what_is_encoded_is_decoded(kind):
    samples = data(kind)
    surrogate = model(kind, samples)
    torch.testing.assert_close(
        surrogate.decode(surrogate.values.encode(samples.values), samples.mask), samples.values, atol=1e-5, rtol=1e-5
    )
    points = surrogate.scaled_points(samples.points)
    assert float(points.min()) == pytest.approx(-1)
    assert float(points.max()) == pytest.approx(1)


def test_codes_reach_the_branch_as_they_are_and_functions_are_standardized():
    samples = data("fisher", 10)
    inputs = model("fisher", samples).branch_input(samples.functions, None, samples.codes)
    assert torch.equal(inputs[:, :4], samples.codes)
    torch.testing.assert_close(inputs[:, 4:].mean(0), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs[:, 4:].std(0), torch.ones(12), atol=1e-3, rtol=0)


def test_the_mask_is_a_channel_that_can_be_left_out():
    samples = data("darcy")
    inputs = model("darcy", samples).branch_input(samples.functions, samples.mask)
    assert torch.equal(inputs[:, 1].flatten(1) > 0.5, samples.mask)
    blind = make_model(ModelConfig(filters="2", mask_in_branch=False), samples.shape).fit_normalizers(samples)
    assert torch.equal(
        blind.branch_input(samples.functions, samples.mask)[:, 0], blind.functions.encode(samples.functions)
    )


def test_what_never_varies_does_not_explode_on_a_new_shape():
    discs = data("darcy").select("disc")
    surrogate = model("darcy", discs)
    inputs = surrogate.branch_input(torch.full((1, 16, 16), 2.0))
    assert float(inputs.abs().max()) < 100


def test_zero_stays_zero_where_shapes_are_learned():
    samples = data("darcy")
    surrogate = model("darcy", samples)
    assert surrogate.values.shift == 0
    inside = samples.values[samples.mask]
    assert float(surrogate.values.encode(inside).square().mean().sqrt()) == pytest.approx(1, rel=1e-4)
    found = surrogate.predict(samples)
    assert not found[~samples.mask].any()


def test_plates_are_scaled_by_their_extremes_inside():
    samples = data("plate")
    surrogate = model("plate", samples)
    scaled = surrogate.values.encode(samples.values[samples.mask])
    assert (float(scaled.min()), float(scaled.max())) == pytest.approx((0, 1), abs=1e-5)
    assert surrogate.branch_input(samples.functions).amax(0).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_model(ModelConfig("mlp"), DataShape((8, 8), 0, 2, 64)), "rows of numbers"),
        (lambda: make_model(ModelConfig("conv"), DataShape((8,), 0, 2, 64)), "a grid of a plane"),
        (lambda: model("fisher", data("fisher")).branch_input(torch.zeros(1, 12)), "4 codes, not 0"),
        (lambda: model("fisher", data("fisher")).branch_input(torch.zeros(1, 13)), r"\(12,\)"),
        (lambda: model("fisher", data("fisher")[:1]), "two or more samples"),
        (lambda: make_model(ModelConfig(), DataShape((15, 15), 0, 2, 225)), "at least 16"),
        (lambda: ModelConfig(kernel=4), "odd"),
        (lambda: ModelConfig(branch="a"), "128,128"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
