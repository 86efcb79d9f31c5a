"""Meshes and their files, against closed forms and trimesh."""

import gzip

import numpy as np
import pytest
import torch
import trimesh

from fixer3d.geometry.frames import Frame
from fixer3d.geometry.meshes import Mesh, combine, load_mesh, load_parts, load_points, save_glb, save_mesh, save_points
from fixer3d.scenes.primitives import box
from separata.testing import contents

TETRAHEDRON = Mesh(
    np.array([[0.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
)
COLORED = Mesh(TETRAHEDRON.vertices, TETRAHEDRON.faces, np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]))


def test_area_and_volume_are_those_of_the_closed_form():
    assert TETRAHEDRON.volume == pytest.approx(3 / 6)
    assert TETRAHEDRON.areas[:3] == pytest.approx([1.5, 1.5, 0.5])


def test_samples_lie_on_the_surface_uniformly_by_area():
    points = TETRAHEDRON.sample(20_000, torch.Generator().manual_seed(0))
    a, b, c, slanted = points[:, 2] == 0, points[:, 1] == 0, points[:, 0] == 0, None
    slanted = (points @ torch.tensor([1 / 3, 1, 1]) - 1).abs() < 1e-5
    assert (a | b | c | slanted).all()
    shares = torch.stack([a, b, c, slanted]).double().mean(1).numpy()
    np.testing.assert_allclose(shares, TETRAHEDRON.areas / TETRAHEDRON.areas.sum(), atol=0.02)
    np.testing.assert_allclose(points[a].mean(0), [1, 1 / 3, 0], atol=0.02)
    assert points.equal(TETRAHEDRON.sample(20_000, torch.Generator().manual_seed(0)))
    with pytest.raises(ValueError, match="no surface"):
        Mesh.empty().sample(3)


def test_a_mesh_goes_into_a_frame_and_back():
    frame = Frame(torch.tensor([1.0, 2, 3]), torch.tensor(2.0))
    np.testing.assert_allclose(TETRAHEDRON.transformed(frame).bounds, [[1, 2, 3], [7, 4, 5]])
    np.testing.assert_allclose(TETRAHEDRON.transformed(frame).localized(frame).vertices, TETRAHEDRON.vertices)


def test_a_mirrored_mesh_still_looks_outwards():
    assert TETRAHEDRON.mapped(np.diag([-1.0, 1, 1])).volume == pytest.approx(0.5)
    for up in ("x", "y", "z"):
        turned = TETRAHEDRON.upright(up)
        assert turned.volume == pytest.approx(0.5)
        assert turned.bounds[1, 2] == TETRAHEDRON.bounds[1, "xyz".index(up)]


def test_a_normalized_mesh_fills_the_cube():
    np.testing.assert_allclose(TETRAHEDRON.normalized().bounds, [[-0.5, -1 / 6, -1 / 6], [0.5, 1 / 6, 1 / 6]])
    with pytest.raises(ValueError, match="no extent"):
        Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])).normalized()


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".stl", ".off"])
def test_meshes_are_kept_in_files(tmp_path, suffix):
    save_mesh(COLORED, tmp_path / f"mesh{suffix}")
    again = load_mesh(tmp_path / f"mesh{suffix}")
    assert again.volume == pytest.approx(0.5)
    np.testing.assert_allclose(again.bounds, COLORED.bounds, atol=1e-6)
    if suffix in {".ply", ".glb"}:
        np.testing.assert_allclose(again.colors, COLORED.colors, atol=1 / 255)


def test_a_scene_has_a_node_for_each_object(tmp_path):
    save_glb({"chair": COLORED, "table-1": box((1, 1, 1), (5, 0, 0))}, tmp_path / "scene.glb")
    scene = trimesh.load_scene(tmp_path / "scene.glb")
    assert {"chair", "table-1"} <= set(scene.graph.nodes)
    assert sorted(scene.geometry) == ["chair", "table-1"]
    np.testing.assert_allclose(scene.geometry["table-1"].bounds, [[4.5, -0.5, -0.5], [5.5, 0.5, 0.5]])
    assert load_mesh(tmp_path / "scene.glb").volume == pytest.approx(1.5)
    with pytest.raises(ValueError, match="no triangle"):
        save_glb({"nothing": Mesh.empty()}, tmp_path / "empty.glb")
    assert list(contents(tmp_path)) == ["scene.glb"]


FAR = np.array([5e5, 4.5e6, 1e6])
"""A place in UTM, in meters, where floats are 0.5 apart."""


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".stl", ".off"])
def test_what_is_far_from_the_origin_keeps_its_shape_in_files(tmp_path, suffix):
    far = COLORED.mapped(np.eye(3), FAR)
    assert far.volume == pytest.approx(0.5)
    save_mesh(far, tmp_path / f"mesh{suffix}")
    again = load_mesh(tmp_path / f"mesh{suffix}")
    np.testing.assert_allclose(again.bounds - FAR, COLORED.bounds, atol=1e-6)
    assert again.volume == pytest.approx(0.5, rel=1e-5)
    scene = trimesh.load_scene(tmp_path / f"mesh{suffix}", process=False)
    np.testing.assert_allclose(scene.bounds - FAR, COLORED.bounds, atol=1e-6)
    points = load_points(tmp_path / f"mesh{suffix}", 2000).numpy() - FAR
    assert (points @ [1 / 3, 1, 1]).max() < 1 + 1e-5
    assert points.min() > -1e-5
    assert len(np.unique(points)) > 3000


def test_points_far_from_the_origin_keep_their_places(tmp_path):
    points = torch.rand(30, 3, dtype=torch.double) + torch.from_numpy(FAR)
    save_points(points, tmp_path / "cloud.ply")
    np.save(tmp_path / "cloud.npy", points.numpy())
    assert trimesh.load(tmp_path / "cloud.ply").vertices == pytest.approx(points.numpy(), abs=1e-9)
    for name in ("cloud.ply", "cloud.npy"):
        torch.testing.assert_close(load_points(tmp_path / name), points, atol=1e-9, rtol=0)


def test_an_object_that_is_called_like_the_root_of_a_scene_keeps_its_place(tmp_path):
    far = COLORED.mapped(np.eye(3), FAR)
    save_glb({"world": far, "chair": COLORED}, tmp_path / "scene.glb")
    found = load_parts(tmp_path / "scene.glb")
    np.testing.assert_allclose(found.pop("chair").bounds, COLORED.bounds)
    np.testing.assert_allclose(found.popitem()[1].bounds, far.bounds, atol=1e-6)


def test_triangles_without_their_vertices_are_refused(tmp_path):
    save_mesh(TETRAHEDRON, tmp_path / "mesh.ply")
    content = (tmp_path / "mesh.ply").read_bytes()
    (tmp_path / "mesh.ply").write_bytes(content[:-4] + (999).to_bytes(4, "little"))
    for load in (load_mesh, load_points):
        with pytest.raises(
            ValueError, match=r"mesh.ply cannot be read as PLY: a triangle refers to a vertex that does not exist"
        ):
            load(tmp_path / "mesh.ply")


def test_a_compressed_file_that_another_program_wrote_is_read(tmp_path):
    peer = trimesh.creation.icosphere(1)
    (tmp_path / "ball.obj.gz").write_bytes(gzip.compress(peer.export(file_type="obj").encode()))
    mesh = load_mesh(tmp_path / "ball.obj.gz")
    assert (len(mesh.vertices), len(mesh)) == (len(peer.vertices), len(peer.faces))
    assert mesh.volume == pytest.approx(peer.volume, rel=1e-5)


def test_point_clouds_are_kept_in_files(tmp_path):
    points = torch.rand(30, 3)
    save_points(points, tmp_path / "cloud.ply", torch.rand(30, 3))
    torch.testing.assert_close(load_points(tmp_path / "cloud.ply"), points.double())
    np.save(tmp_path / "cloud.npy", np.concatenate([points.numpy(), [[np.nan, 0, 0]]]))
    torch.testing.assert_close(load_points(tmp_path / "cloud.npy"), points.double())
    save_mesh(TETRAHEDRON, tmp_path / "mesh.obj")
    assert load_points(tmp_path / "mesh.obj", 100).shape == (100, 3)
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 1 1 1\nv 2 2 2\nv 3 nan 3\nf 1 2 3\n")
    assert load_points(tmp_path / "flat.obj").tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mesh.ply", b"not a mesh"),
        ("mesh.glb", b"glTF but no more"),
        ("mesh.obj", b"nothing here"),
        ("mesh.obj.gz", b"not compressed"),
        ("mesh.obj.gz", gzip.compress(b"v 0 0 0")[:10] + b"\xff" * 100),
        ("cloud.npy", b"PK\x03\x04 nonsense"),
        ("mesh.txt", b"v 0 0 0"),
        ("mesh.ply", b""),
        ("mesh.stl", b"\0" * 84),
    ],
)
def test_files_that_hold_no_mesh_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    for load in (load_mesh, load_points):
        with pytest.raises(ValueError, match=name):
            load(tmp_path / name)


def test_other_wrong_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.ply"):
        load_mesh(tmp_path / "absent.ply")
    save_points(torch.rand(5, 3), tmp_path / "cloud.ply")
    with pytest.raises(ValueError, match="cloud.ply contains no triangles"):
        load_mesh(tmp_path / "cloud.ply")
    np.save(tmp_path / "flat.npy", np.zeros(3))
    with pytest.raises(ValueError, match="flat.npy must have shape"):
        load_points(tmp_path / "flat.npy")
    np.save(tmp_path / "mask.npy", np.ones((20, 3), bool))
    with pytest.raises(ValueError, match="mask.npy must hold real numbers, not bool"):
        load_points(tmp_path / "mask.npy")
    with pytest.raises(ValueError, match="written as"):
        save_mesh(TETRAHEDRON, tmp_path / "mesh.gltf")
    with pytest.raises(ValueError, match="written as"):
        save_points(torch.rand(5, 3), tmp_path / "cloud.obj")


def test_meshes_are_combined():
    both = combine([COLORED, Mesh.empty(), COLORED.mapped(np.eye(3), 5.0)])
    assert both.volume == pytest.approx(1)
    assert both.colors.shape == (8, 3)
    assert combine([COLORED, TETRAHEDRON]).colors is None
    assert not len(combine([]))
