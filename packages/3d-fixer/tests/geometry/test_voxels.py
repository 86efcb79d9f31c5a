"""Voxel grids, against Open3D, brute force and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from fixer3d.geometry.meshes import Mesh
from fixer3d.geometry.voxels import depth_to_space, fill, mesh_from_logits, space_to_depth, voxelize, voxelize_mesh
from fixer3d.scenes.primitives import box

CUBE_MESH = box((1, 1, 1))
CUBE, CUBE_FACES = CUBE_MESH.vertices, CUBE_MESH.faces


def ball(resolution, radius):
    """Signed distances of the centers to a sphere, positive inside."""
    axis = (torch.arange(resolution) + 0.5) / resolution - 0.5
    return radius - torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)


def test_points_fall_into_the_voxels_that_hold_them():
    points = torch.tensor([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5], [0.1, -0.2, 0.3], [0.1, -0.2, 0.31], [7.0, 0, -7]])
    occupancy, confidence = voxelize(points, 4, torch.tensor([1.0, 1, 1, 0.5, 0.5]))
    where = {tuple(index) for index in occupancy.nonzero().tolist()}
    assert where == {(0, 0, 0), (3, 3, 3), (2, 1, 3), (3, 2, 0)}
    assert confidence[2, 1, 3] == 0.75
    assert (confidence > 0).equal(occupancy > 0)


@given(st.integers(0, 2**31), st.sampled_from([4, 8, 12]), st.sampled_from([2, 4]))
@settings(max_examples=10)
def test_space_to_depth_is_undone(seed, resolution, block):
    grid = torch.rand(2, *[resolution] * 3, generator=torch.Generator().manual_seed(seed))
    channels = space_to_depth(grid, block)
    assert depth_to_space(channels, block).equal(grid)
    x, y, z, i, j, k = torch.randint(0, 2, (6,), generator=torch.Generator().manual_seed(seed)).tolist()
    voxel = grid[1, x * block + i, y * block + j, z * block + k]
    assert channels[1, (i * block + j) * block + k, x, y, z] == voxel


def test_blocks_must_fit():
    with pytest.raises(ValueError, match="multiple of 4, not 10"):
        space_to_depth(torch.zeros(10, 10, 10))
    with pytest.raises(ValueError, match="64 channels, not 8"):
        depth_to_space(torch.zeros(8, 2, 2, 2))


@pytest.mark.parametrize("seed", range(3))
def test_surfaces_touch_the_voxels_that_open3d_finds(seed):
    o3d = pytest.importorskip("open3d")
    vertices = CUBE @ Rotation.random(rng=np.random.default_rng(seed)).as_matrix().T * [0.8, 0.5, 0.3]
    mesh = o3d.geometry.TriangleMesh(o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(CUBE_FACES))
    low, high = [-0.5] * 3, [0.5] * 3
    grid = o3d.geometry.VoxelGrid.create_from_triangle_mesh_within_bounds(mesh, 1 / 16, low, high)
    expected = {tuple(voxel.grid_index.tolist()) for voxel in grid.get_voxels()}
    expected = {index for index in expected if min(index) >= 0 and max(index) < 16}
    assert {tuple(index) for index in voxelize_mesh(vertices, CUBE_FACES, 16).nonzero().tolist()} == expected


def test_no_point_of_a_surface_is_outside_its_voxels():
    generator = torch.Generator().manual_seed(0)
    triangles = torch.rand(20, 3, 3, generator=generator).numpy().astype(float) * 1.2 - 0.6
    mesh = Mesh(triangles.reshape(-1, 3), np.arange(60).reshape(20, 3))
    occupancy = voxelize_mesh(mesh.vertices, mesh.faces, 10)
    points = mesh.sample(20_000, generator)
    sampled, _ = voxelize(points[(points.abs() < 0.5).all(1)], 10)
    assert (sampled <= occupancy).all()
    assert occupancy.sum() < 1.2 * sampled.sum()


def test_a_shell_is_filled():
    shell = voxelize_mesh(CUBE * 0.49, CUBE_FACES, 16)
    assert shell.sum() == 8**3 - 6**3
    assert fill(shell).sum() == 8**3


def test_a_shell_in_the_faces_of_the_cube_is_in_the_outermost_voxels():
    shell = voxelize_mesh(CUBE, CUBE_FACES, 8)
    assert shell.sum() == 8**3 - 6**3
    assert not voxelize_mesh(CUBE * 3, CUBE_FACES, 8).any()


def test_what_hangs_over_the_cube_is_moved_to_its_faces_or_cut():
    # A closed box that is taller than the cube by 0.08 at both ends keeps its lids.
    box = CUBE * [0.5, 0.5, 1.16]
    cut, moved = (voxelize_mesh(box, CUBE_FACES, 16, overhang=overhang) for overhang in (0.0, 0.1))
    assert fill(cut).sum() == cut.sum()
    assert moved[..., 0].sum() == moved[..., -1].sum() == moved[..., 0].bool().sum() >= 8 * 8
    assert fill(moved).sum() == moved[..., 0].sum() * 16
    assert torch.equal(moved[..., 1:-1], cut[..., 1:-1])


def test_the_mesh_of_a_ball_is_a_sphere_in_its_place():
    logits = ball(32, 0.3)
    shifted = torch.roll(logits, (4, -2, 1), (0, 1, 2))
    mesh = mesh_from_logits(shifted)
    center = np.array([4, -2, 1]) / 32
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices - center, axis=1), 0.3, atol=2e-3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.02)


def test_surfaces_are_closed_at_the_faces_of_the_cube():
    mesh = mesh_from_logits(torch.ones(8, 8, 8))
    np.testing.assert_allclose(mesh.bounds, [[-0.5] * 3, [0.5] * 3], atol=1e-6)
    assert mesh.volume == pytest.approx(1, abs=0.05)
    assert not len(mesh_from_logits(-torch.ones(8, 8, 8)))


def test_voxels_of_a_mesh_of_voxels_are_where_they_were():
    occupancy = torch.zeros(16, 16, 16)
    occupancy[3:6, 7:9, 2:12] = 1
    mesh = mesh_from_logits(occupancy - 0.5)
    centers = (occupancy.nonzero() + 0.5) / 16 - 0.5
    distances, _ = cKDTree(centers.numpy()).query(mesh.vertices)
    assert distances.max() <= 0.5 / 16 + 1e-6
    assert (mesh.bounds[1] - mesh.bounds[0]) * 16 == pytest.approx([3, 2, 10], abs=1e-3)
