"""What the texturing stage learns from: colors of a painted box, and places against a camera computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fixer3d.configs import AugmentConfig
from fixer3d.geometry.cameras import Intrinsics
from fixer3d.geometry.meshes import combine
from fixer3d.scenes.categories import painted
from fixer3d.scenes.primitives import box
from fixer3d.training.framing import Augmentation, draw_augmentation, frame_object
from fixer3d.training.observations import OUTSIDE, see_voxels
from fixer3d.training.surfaces import SurfaceVoxels, surface_voxels

R = 16
CAMERA = Intrinsics(100.0, 50.0, 40.0, 30.0, 80, 60)
NOTHING = Augmentation(torch.eye(3, dtype=torch.double), torch.zeros(3, dtype=torch.double))
RED, BLUE = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.2, 0.8])


@pytest.fixture(scope="module")
def towers():
    """A red box below a blue one, three units before the camera."""
    return combine([painted(box((1, 1, 1), (0, -0.5, -4)), RED), painted(box((1, 1, 1), (0, 0.5, -4)), BLUE)])


@pytest.fixture(scope="module")
def framed(towers):
    points = towers.sample(4000, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    return frame_object(towers, points, torch.ones(len(points)), "fine", R, NOTHING, generator)


def test_places_and_depths_are_those_of_a_camera_by_hand():
    points = torch.tensor([[0.0, 0, -2], [0.4, 0.3, -2], [0.4, 0.3, -4], [0, 0, 2], [5, 0, -2]])
    depth = torch.full((60, 80), 3.0)
    depth[:, 60] = 0.0  # the second point's column has no depth
    found = see_voxels(points, 2.0, depth, CAMERA, torch.eye(4))
    # x = 100 X / -Z + 40 of 80 pixels, y = 30 - 50 Y / -Z of 60.
    expected = torch.tensor([[0.0, 0.0], [0.5, -0.25], [0.25, -0.125], [OUTSIDE] * 2, [OUTSIDE] * 2])
    torch.testing.assert_close(found.places, expected)
    # (2 - 3) / 2 of the size; nothing is seen there; (4 - 3) / 2; not in the image.
    torch.testing.assert_close(found.behind, torch.tensor([-0.5, -1.0, 0.5, 1.0, 1.0]))


def test_frames_lead_back_to_the_world(towers):
    points = towers.sample(4000, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    augment = draw_augmentation(AugmentConfig(), generator)
    found = frame_object(towers, points, torch.ones(len(points)), "fine", R, augment, generator)
    back = found.to_world(torch.from_numpy(found.mesh.vertices))
    torch.testing.assert_close(back, torch.from_numpy(towers.vertices), atol=1e-4, rtol=0)


def test_voxels_have_the_color_and_the_offset_of_the_surface(framed):
    found = surface_voxels(framed, torch.full((60, 80), 3.5), CAMERA, torch.eye(4))
    exists = found.exists
    assert exists.sum() == min(512, int(framed.occupancy.sum()))
    centers = (found.coordinates[exists].float() + 0.5) / R - 0.5
    world = framed.to_world(centers)
    voxel = float(framed.coarse.scale * framed.fine.scale) / R
    away = world[:, 1].abs() > 1.01 * voxel  # from the border of the colors
    expected = torch.from_numpy(np.where(world[:, 1:2] < 0, RED, BLUE) * 255).round().byte()
    assert away.sum() > 100
    assert torch.equal(found.rgb[exists][away], expected[away])
    # At the front of either box, away from its edges, the offset is the distance to the plane z = -3.5.
    front = ((world[:, 2] + 3.5).abs() < voxel) & (world[:, 0].abs() < 0.3) & ((world[:, 1].abs() - 0.5).abs() < 0.3)
    assert front.sum() > 5
    torch.testing.assert_close(
        found.offset[exists][front].float(), (-3.5 - world[front, 2]) / voxel, atol=2e-3, rtol=1e-2
    )
    # There, the surface is what the image shows.
    assert found.behind[exists][front].abs().max() < 1 / R
    assert found.behind[exists].max() > 0.4


def test_what_pads_is_empty_and_batches_can_be_indexed(towers):
    points = towers.sample(4000, torch.Generator().manual_seed(0))
    few = frame_object(towers, points, torch.ones(len(points)), "fine", 8, NOTHING, torch.Generator().manual_seed(0))
    one = surface_voxels(few, torch.full((60, 80), 3.5), CAMERA, torch.eye(4), 400)
    n = int(few.occupancy.sum())
    assert one.exists.sum() == n < 400
    assert not one.rgb[n:].any()
    other = replace(one, rgb=255 - one.rgb)
    batch = SurfaceVoxels.stack([SurfaceVoxels.stack([one]), SurfaceVoxels.stack([other])])
    assert torch.equal(batch[torch.tensor([1, 0]), torch.tensor([0, 0])].rgb, torch.stack([other.rgb, one.rgb]))
    first = torch.zeros(1, dtype=torch.long)
    assert torch.equal(batch[first, first].voxels.coordinates[0, :n], few.occupancy.nonzero())
