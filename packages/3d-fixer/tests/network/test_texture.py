from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from fixer3d.configs import SamplerConfig
from fixer3d.flow.sampling import sample
from fixer3d.network.texture import (
    MAX_OFFSET,
    MAX_VOXELS,
    TextureAutoencoder,
    TextureConditions,
    TextureFlow,
    Voxels,
    instance_tokens,
    make_texture_velocity,
    sample_features,
    visibility_ratio,
)


@pytest.fixture
def flow(config, randomize):
    small = replace(config, patch_size=1, in_channels=8)
    flow = TextureFlow(small, scene_channels=6)
    flow.start_control()
    return randomize(flow)


@pytest.fixture
def voxels():
    occupancy = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    occupancy[0, :2, 1:3] = True
    occupancy[1, 2, 0, 1:] = True
    return Voxels.from_occupancy(occupancy)


@pytest.fixture
def conditions():
    draw = torch.Generator().manual_seed(3)
    shapes = [(2, 5, 10), (2, 5, 10), (2, 7, 10), (2, 16, 6)]
    return TextureConditions(*(torch.randn(shape, generator=draw) for shape in shapes), torch.tensor([0.3, 0.9]))


def test_active_voxels_are_padded_to_as_many(voxels):
    assert voxels.exists.sum(1).tolist() == [16, 3]
    assert voxels.coordinates[1, :3].tolist() == [[2, 0, 1], [2, 0, 2], [2, 0, 3]]
    assert voxels.centers(4)[1, 0].tolist() == [0.125, -0.375, -0.125]
    with pytest.raises(ValueError, match="no occupied voxel"):
        Voxels.from_occupancy(torch.zeros(1, 4, 4, 4, dtype=torch.bool))


def test_too_many_voxels_are_thinned_evenly():
    voxels = Voxels.from_occupancy(torch.ones(1, 16, 16, 16, dtype=torch.bool))
    assert voxels.exists.sum() == MAX_VOXELS
    assert len(voxels.coordinates[0].unique(dim=0)) == MAX_VOXELS
    # As many on the one side as on the other.
    assert abs((voxels.coordinates[0, :, 0] < 8).sum() - MAX_VOXELS // 2) <= 1


def test_features_are_sampled_as_scipy_interpolates_them():
    draw = np.random.default_rng(0)
    features, places = draw.normal(size=(3, 5, 8)), draw.uniform(-0.8, 0.8, (20, 2))
    # Pixel centers are half a pixel inside the edges at -1 and 1.
    columns, rows = (places[:, 0] + 1) * 8 / 2 - 0.5, (places[:, 1] + 1) * 5 / 2 - 0.5
    expected = np.stack([map_coordinates(one, [rows, columns], order=1) for one in features], -1)
    found = sample_features(torch.from_numpy(features)[None], torch.from_numpy(places)[None])
    np.testing.assert_allclose(found[0], expected, atol=1e-9)


def test_visibility_is_the_fraction_of_voxels_inside_the_mask():
    mask = torch.zeros(1, 8, 8)
    mask[:, :, :4] = 1
    places = torch.tensor([[[-0.7, 0.1], [-0.3, -0.6], [0.6, 0.0], [-5.0, 0.0], [-0.5, 0.5]]])
    exists = torch.tensor([[True, True, True, True, False]])
    torch.testing.assert_close(visibility_ratio(mask, places, exists), torch.tensor([0.5]))


def test_before_training_control_adds_nothing(config, randomize, voxels, conditions):
    flow = randomize(TextureFlow(replace(config, patch_size=1, in_channels=8), scene_channels=6))
    for layer in flow.control_path:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    other = replace(conditions, features=torch.randn(2, 16, 6), instance=torch.randn(2, 5, 10))
    z, t = torch.randn(2, 16, 8), torch.tensor([100.0, 900.0])
    torch.testing.assert_close(flow(z, t, voxels, conditions), flow(z, t, voxels, other))


@pytest.mark.parametrize("name", ["masked_crop", "instance", "scene", "features", "visibility"])
def test_every_condition_of_a_texture_matters(flow, voxels, conditions, name):
    z, t = torch.randn(2, 16, 8), torch.tensor([100.0, 900.0])
    other = replace(conditions, **{name: torch.rand_like(getattr(conditions, name))})
    assert (flow(z, t, voxels, conditions) - flow(z, t, voxels, other)).abs().amax((1, 2)).min() > 1e-3


def test_a_new_control_branch_is_the_trunks(flow):
    flow.start_control()
    block, source = flow.control_blocks[1], flow.blocks[1]
    x, t, ratio, image, scene = (torch.randn(2, *shape) for shape in ((8, 24), (24,), (24,), (5, 10), (7, 10)))
    torch.testing.assert_close(block(x, t, ratio, image, scene), source(x, t, image))


def test_without_what_control_adds_the_flow_is_its_trunk(flow, voxels, conditions):
    for layer in flow.control_path:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    z, t = torch.randn(2, 16, 8), torch.tensor([100.0, 900.0])
    (v, hidden), (alone, states) = (
        flow(z, t, voxels, conditions, hidden=True),
        flow.trunk(z, t, voxels, conditions.masked_crop),
    )
    torch.testing.assert_close(v, alone)
    assert len(hidden) == len(states) == 3
    torch.testing.assert_close(hidden, states)


def test_voxels_in_another_order_have_the_same_velocities(flow, voxels, conditions):
    z, t = torch.randn(2, 16, 8), torch.tensor([100.0, 900.0])
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    other = Voxels(voxels.coordinates[:, order], voxels.exists[:, order])
    moved = replace(conditions, features=conditions.features[:, order])
    expected = flow(z, t, voxels, conditions)[:, order]
    torch.testing.assert_close(flow(z[:, order], t, other, moved), expected, atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing(flow, voxels, conditions):
    z, t = torch.randn(2, 16, 8), torch.tensor([100.0, 900.0])
    together = flow(z, t, voxels, conditions)
    only = Voxels(voxels.coordinates[1:, :3], voxels.exists[1:, :3])
    one = TextureConditions(*(value[1:] for value in vars(conditions).values()))
    one = replace(one, features=one.features[:, :3])
    torch.testing.assert_close(together[1:, :3], flow(z[1:, :3], t[1:], only, one), atol=1e-5, rtol=1e-5)
    assert not together[1, 3:].any()


def test_a_guided_pass_is_a_conditional_and_an_unconditional_one_without_control(flow, voxels, conditions):
    z, t = torch.randn(2, 16, 8), torch.full((2,), 700.0)
    both = make_texture_velocity(flow, voxels, conditions)(z.repeat(2, 1, 1), t.repeat(2), guided=True)
    torch.testing.assert_close(both[:2], flow(z, t, voxels, conditions))
    torch.testing.assert_close(both[2:], flow(z, t, voxels, None))
    drawn = sample(make_texture_velocity(flow, voxels, conditions), z, SamplerConfig(3))
    assert drawn.isfinite().all()


def test_colors_and_offsets_come_back_from_eight_numbers():
    torch.manual_seed(0)
    autoencoder = TextureAutoencoder(32)
    rgb, offset = torch.rand(200, 3), torch.rand(200) - 0.5
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-2)
    for _ in range(150):
        colors, offsets = autoencoder.decode(autoencoder.encode(rgb, offset))
        loss = (colors - rgb).square().mean() + (offsets - offset).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 2e-3
    assert offsets.abs().max() <= MAX_OFFSET
    for _ in range(2):
        autoencoder.normalize(rgb, offset)
        z = autoencoder.encode(rgb, offset)
        torch.testing.assert_close(z.mean(0), torch.zeros(8), atol=1e-4, rtol=0)
        torch.testing.assert_close(z.std(0), torch.ones(8), atol=1e-4, rtol=0)
        again = autoencoder.decode(z)[0]
        assert (again - rgb).square().mean() < 2e-3


def test_an_instance_is_the_mean_of_crop_and_mask():
    torch.testing.assert_close(
        instance_tokens(torch.full((1, 2, 3), 4.0), torch.zeros(1, 2, 3)), torch.full((1, 2, 3), 2.0)
    )


def test_textures_have_a_token_for_each_voxel(config):
    with pytest.raises(ValueError, match="patch_size must be 1, not 2"):
        TextureFlow(config)
