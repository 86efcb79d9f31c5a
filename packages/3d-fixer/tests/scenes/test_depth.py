"""The stand-in of a depth estimator, its alignment, and visible points, against closed forms and OpenCV's kernel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt

from fixer3d.geometry.cameras import Intrinsics, look_at, project
from fixer3d.scenes.depth import align_scale, estimate_depth, mixed_depth
from fixer3d.scenes.partial import _ellipse, edge_band, mask_confidence, partial_points

STEP = torch.full((64, 64), 2.0)
STEP[:, 32:] = 4.0
STEP[0] = 0.0


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_an_estimate_is_right_up_to_scale_and_small_errors():
    scales = []
    for seed in range(20):
        estimate = estimate_depth(STEP, generator(seed))
        scales.append(float(1 / align_scale(estimate, STEP)))
        error = estimate / scales[-1] / STEP - 1
        assert error[1:, :30].abs().max() < 0.25
    assert 0.45 < min(scales) < 0.8
    assert 1.2 < max(scales) < 2.2


def test_depth_bleeds_at_jumps_and_nowhere_else():
    estimate = estimate_depth(STEP, generator(), low_frequency=0, noise=0)
    scaled = estimate * STEP[5, 5] / estimate[5, 5]
    torch.testing.assert_close(scaled[1:, :31], STEP[1:, :31])
    torch.testing.assert_close(scaled[1:, 33:], STEP[1:, 33:])
    torch.testing.assert_close(scaled[2:-1, 31], torch.full((61,), (2 * 2 + 4) / 3))
    assert (estimate[0] == 0).all()


def test_the_slow_error_is_slow_and_of_the_right_size():
    flat = torch.ones(64, 64)
    estimates = torch.stack([estimate_depth(flat, generator(seed), noise=0) for seed in range(30)])
    errors = estimates / estimates.mean((1, 2), keepdim=True) - 1
    assert 0.015 < errors.std() < 0.045
    assert (errors[:, 1:] - errors[:, :-1]).std() < 0.15 * errors.std()


@given(st.integers(0, 2**31), st.floats(0.1, 10))
@settings(max_examples=15)
def test_the_scale_is_that_of_least_squares(seed, scale):
    depth = torch.rand(8, 9, generator=generator(seed)) + 1
    estimate = depth / scale * (1 + 0.1 * torch.randn(8, 9, generator=generator(seed + 1)))
    expected = torch.linalg.lstsq(estimate.reshape(-1, 1).double(), depth.reshape(-1, 1).double()).solution
    assert float(align_scale(estimate, depth)) == pytest.approx(float(expected), rel=1e-5)
    assert float(align_scale(depth / scale, depth)) == pytest.approx(scale, rel=1e-5)


def test_only_the_foreground_counts():
    mask = STEP == 2
    estimate = torch.where(mask, STEP * 3, STEP * 7)
    assert float(align_scale(estimate, STEP, mask)) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="no pixel"):
        align_scale(estimate, STEP, torch.zeros_like(mask))


def test_mixed_depth_goes_from_the_truth_to_the_aligned_estimate():
    estimate = STEP * 3 * (1 + 0.1 * torch.rand(64, 64, generator=generator()))
    aligned = align_scale(estimate, STEP) * estimate
    torch.testing.assert_close(mixed_depth(STEP, estimate, 0.0), STEP)
    torch.testing.assert_close(mixed_depth(STEP, estimate, 1.0), aligned)
    torch.testing.assert_close(mixed_depth(STEP, estimate, 0.25), 0.25 * aligned + 0.75 * STEP)


def test_the_kernel_is_opencv_s_ellipse():
    rows = [[3], [1, 2, 3, 4, 5], range(7), range(7), range(7), [1, 2, 3, 4, 5], [3]]
    expected = np.zeros((7, 7), bool)
    for row, columns in enumerate(rows):
        expected[row, list(columns)] = True
    np.testing.assert_array_equal(_ellipse(3), expected)
    np.testing.assert_array_equal(_ellipse(1), [[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def test_the_band_is_as_wide_as_two_steps_of_its_kernel():
    mask = torch.zeros(512, 512, dtype=torch.bool)
    mask[100:300, 200:] = True
    band = edge_band(mask)
    assert band[94:106, 350].all()
    assert not band[[93, 106], 350].any()
    assert not band[200, -6:].any()  # the border of the image is no edge
    small = torch.zeros(64, 64, dtype=torch.bool)
    small[20:40, 20:40] = True
    inside = small & ~edge_band(small)
    taxicab = distance_transform_cdt(small.numpy(), "taxicab")
    np.testing.assert_array_equal(inside.numpy(), taxicab > 2)


def test_confidence_is_one_inside_a_half_at_the_edge_and_nothing_outside():
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[20:40, 20:40] = True
    confidence = mask_confidence(mask)
    assert confidence.unique().tolist() == [0, 0.5, 1]
    assert ((confidence > 0) == mask).all()
    assert (confidence[22:38, 22:38] == 1).all()


def test_visible_points_project_into_the_mask():
    camera, pose = Intrinsics.from_fov(50, 64, 64), look_at(torch.tensor([1.0, 2, 3]), torch.zeros(3))
    mask = STEP == 4
    depth = STEP.clone()
    depth[30, 50] = torch.nan
    points, confidence = partial_points(depth, mask, camera, pose)
    assert len(points) == int(mask.sum()) - 1 == len(confidence)
    pixels, found = project(points, camera, pose)
    assert mask[pixels[:, 1].long(), pixels[:, 0].long()].all()
    torch.testing.assert_close(found, torch.full_like(found, 4), atol=1e-4, rtol=0)
