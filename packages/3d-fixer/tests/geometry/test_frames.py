"""Frames, against closed forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixer3d.geometry.frames import Frame, coarse_frame, fine_frame

seeds = st.integers(0, 2**31)
scales = st.floats(0.05, 20)
shifts = st.tuples(*[st.floats(-10, 10)] * 3)


def cloud(seed, n=50):
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(seed)) - 0.5


@given(seeds, shifts, scales, shifts, scales)
@settings(max_examples=25)
def test_the_way_into_two_frames_and_back_is_the_identity(seed, shift, scale, inner_shift, inner_scale):
    coarse = Frame(torch.tensor(shift), torch.tensor(scale))
    frame = coarse.compose(Frame(torch.tensor(inner_shift) / 20, torch.tensor(inner_scale) / 20))
    x = cloud(seed)
    size = max(1.0, float(frame.scale), float(frame.center.abs().max()))
    torch.testing.assert_close(frame.to_local(frame.to_world(x)), x, atol=1e-5 * size / float(frame.scale), rtol=0)


def test_frames_are_undone_in_the_order_of_the_paper():
    t_c, s_c, t_f, s_f = torch.tensor([1.0, 2, 3]), torch.tensor(4.0), torch.tensor([0.1, -0.2, 0]), torch.tensor(0.5)
    x = cloud(0)
    world = Frame(t_c, s_c).compose(Frame(t_f, s_f)).to_world(x)
    torch.testing.assert_close(world, (x * s_f + t_f) * s_c + t_c)


def test_a_batch_of_frames_moves_each_cloud_by_its_own():
    frames = [Frame(torch.tensor([float(i), 0, 0]), torch.tensor(1.0 + i)) for i in range(3)]
    x = torch.stack([cloud(i) for i in range(3)])
    together = Frame.stack(frames)
    torch.testing.assert_close(together.to_world(x), torch.stack([f.to_world(p) for f, p in zip(frames, x)]))
    torch.testing.assert_close(together[1].to_local(x[1]), frames[1].to_local(x[1]))
    grid = x.reshape(3, 5, 10, 3)
    torch.testing.assert_close(together.to_local(grid).reshape(3, 50, 3), together.to_local(x))


@given(seeds, shifts, scales)
@settings(max_examples=25)
def test_the_longest_side_of_a_partial_object_fills_half_of_its_frame(seed, shift, scale):
    points = cloud(seed) * scale + torch.tensor(shift)
    frame = coarse_frame(points, torch.ones(50))
    local = frame.to_local(points.double())
    extent = local.amax(0) - local.amin(0)
    error = 1e-5 * (1 + max(map(abs, shift)) / scale)
    assert float(extent.max()) == pytest.approx(0.5, abs=error)
    torch.testing.assert_close(local.amax(0), -local.amin(0), atol=error, rtol=0)


def test_uncertain_points_do_not_shape_the_frame():
    points = torch.cat([cloud(0), torch.full((5, 3), 100.0)])
    confidence = torch.cat([torch.ones(50), torch.full((5,), 0.5)])
    frame, expected = coarse_frame(points, confidence), coarse_frame(points[:50], confidence[:50])
    torch.testing.assert_close(frame.center, expected.center)
    with pytest.raises(ValueError, match="only 9 points .* at least 10"):
        coarse_frame(points, torch.cat([torch.ones(9), torch.zeros(46)]))


def test_the_fine_frame_is_the_box_of_the_occupied_centers():
    occupancy = torch.zeros(8, 8, 8)
    occupancy[2, 3, 4] = occupancy[5, 4, 4] = 1
    frame = fine_frame(occupancy)
    torch.testing.assert_close(frame.center, torch.tensor([4.0, 4.0, 4.5]) / 8 - 0.5)
    assert float(frame.scale) == pytest.approx(3 / 8 + 1e-6)
    same = fine_frame(occupancy.bool())
    assert same.scale == frame.scale


def test_an_empty_completion_keeps_the_coarse_frame_with_a_warning():
    with pytest.warns(UserWarning, match="empty"):
        frame = fine_frame(torch.zeros(8, 8, 8))
    assert (frame.center.tolist(), float(frame.scale)) == ([0, 0, 0], 1)
    occupancy = torch.zeros(8, 8, 8)
    occupancy[0, 0, 0] = 1
    assert float(fine_frame(occupancy).scale) == pytest.approx(1 / 8, rel=1e-4)


@given(seeds, shifts, scales)
@settings(max_examples=25)
def test_a_moved_and_scaled_cloud_has_the_same_local_points(seed, shift, scale):
    points, confidence = cloud(seed).double(), torch.ones(50, dtype=torch.double)
    moved = points * scale + torch.tensor(shift, dtype=torch.double)
    first, second = (coarse_frame(x, confidence).to_local(x) for x in (points, moved))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)
