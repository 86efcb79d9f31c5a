"""Framing and augmentation, against SciPy's rotations and boxes whose voxels are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation
from scipy.spatial.transform import Rotation

from fixer3d.baselines.simple import box_mesh
from fixer3d.configs import AugmentConfig
from fixer3d.geometry.frames import coarse_frame
from fixer3d.geometry.voxels import depth_to_space
from fixer3d.training.framing import JITTER_SCALE, Augmentation, draw_augmentation, frame_example

R = 16
NOTHING = Augmentation(torch.eye(3, dtype=torch.double), torch.zeros(3, dtype=torch.double))


@pytest.fixture(scope="module")
def box():
    return box_mesh(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.5, 4.0]))


@pytest.fixture(scope="module")
def cloud(box):
    """The lower half of the box, and one stray point at the edge of its mask."""
    points = box.sample(20_000, torch.Generator().manual_seed(0))
    points = points[points[:, 2] < 3.5]
    stray = torch.tensor([[9.0, 9.0, 9.0]])
    return torch.cat([points, stray]), torch.cat([torch.ones(len(points)), torch.tensor([0.5])])


def extent(occupancy):
    found = (occupancy > 0).nonzero()
    return ((found.amax(0) - found.amin(0) + 1) / R).tolist()


def test_rotations_are_about_z_then_y_then_x():
    drawn = draw_augmentation(AugmentConfig(scale=(1.0, 1.0)), torch.Generator().manual_seed(3))
    draws = torch.rand(7, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    expected = Rotation.from_euler("zyx", (2 * draws[:3].numpy() - 1) * 180, degrees=True).as_matrix()
    np.testing.assert_allclose(drawn.matrix, expected, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_augmentations_stay_in_their_range(seed):
    config = AugmentConfig(30.0, 30.0, (0.9, 1.1), 0.05)
    drawn = draw_augmentation(config, torch.Generator().manual_seed(seed))
    scale = torch.linalg.det(drawn.matrix) ** (1 / 3)
    assert 0.9 <= scale <= 1.1
    assert drawn.shift.abs().max() <= 0.05
    torch.testing.assert_close(drawn.matrix.T @ drawn.matrix / scale**2, torch.eye(3, dtype=torch.double))


def test_the_coarse_frame_leaves_room_and_drops_points_at_the_edge(box, cloud):
    whole, partial = frame_example(box, *cloud, "coarse", R, NOTHING, torch.Generator())
    # The visible half is 1 x 0.5 x 0.5: half the cube; the whole is 1 x 0.5 x 1.
    assert extent(whole) == pytest.approx([0.5, 0.25, 0.5], abs=1.01 / R)
    assert extent(partial.occupancy) == pytest.approx([0.5, 0.25, 0.25], abs=1.01 / R)
    grid = depth_to_space(partial.confidence)
    assert torch.equal(grid > 0, partial.occupancy > 0)
    assert grid[grid > 0].min() == 1  # the stray point, with less, is gone
    assert coarse_frame(*cloud).scale == pytest.approx(2, rel=1e-3)


def test_the_fine_frame_is_that_of_the_whole_object(box, cloud):
    whole, partial = frame_example(box, *cloud, "fine", R, NOTHING, torch.Generator().manual_seed(0))
    assert max(extent(whole)) == pytest.approx(1, abs=1.01 / R + JITTER_SCALE)
    assert extent(partial.occupancy)[2] == pytest.approx(0.5, abs=2.01 / R)


@given(st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
@pytest.mark.parametrize("kind", ["coarse", "fine"])
def test_the_partial_cloud_and_the_target_are_augmented_alike(box, cloud, kind, seed):
    generator = torch.Generator().manual_seed(seed)
    augment = draw_augmentation(AugmentConfig(), generator)
    whole, partial = frame_example(box, *cloud, kind, R, augment, generator)
    near = binary_dilation(whole.numpy() > 0, np.ones((3, 3, 3)))
    visible = partial.occupancy.numpy() > 0
    # All but clipped points of the visible half are at the surface of the whole.
    assert (near & visible).sum() >= 0.95 * visible.sum() > 0


def test_too_few_points_are_refused(box):
    with pytest.raises(ValueError, match="only 3 points"):
        frame_example(box, torch.rand(3, 3), torch.ones(3), "coarse", R, NOTHING, torch.Generator())
