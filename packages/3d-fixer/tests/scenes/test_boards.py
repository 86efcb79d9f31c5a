"""Objects that are half hidden behind boards."""

import numpy as np
import pytest
import torch

from fixer3d import Mesh, Scene, half_hidden
from fixer3d.scenes.dataset import load_scene, save_scene
from fixer3d.scenes.layout import FLOOR
from fixer3d.scenes.occlusion import visible_shares
from fixer3d.scenes.primitives import box, cylinder, ellipsoid
from fixer3d.scenes.rendering import FIRST_OBJECT, WALL

MESHES = {"can": cylinder(0.2, 0.7), "ball": ellipsoid((3, 3, 3), (50, 0, 0)), "brick": box((0.01, 0.02, 0.03))}


@pytest.mark.parametrize("hidden", [0.3, 0.5, 0.7])
def test_boards_hide_the_share_that_is_asked_for(hidden):
    made = half_hidden(MESHES, hidden=hidden)
    shares = visible_shares(made, made.views[0])
    assert list(shares) == list(MESHES)
    # A row of pixels is up to a tenth of an object.
    np.testing.assert_allclose(list(shares.values()), 1 - hidden, atol=0.1)


def test_boards_belong_to_no_object():
    made = half_hidden(MESHES)
    index = made.views[0].index
    assert set(index.unique().tolist()) <= {0, WALL, WALL + 1, *range(FIRST_OBJECT, FIRST_OBJECT + 3)}
    for k in range(3):
        rows, columns = made.views[0].mask(k).nonzero().unbind(1)
        below = index[rows.max() + 1, columns[rows == rows.max()]]
        assert (below == WALL).all()


def test_objects_stand_on_the_floor_in_a_row_at_one_size():
    made = half_hidden(MESHES)
    bounds = np.stack([one.mesh.bounds for one in made.objects])
    np.testing.assert_allclose(bounds[:, 0, 2], FLOOR, atol=1e-6)
    assert (bounds[1:, 0, 0] > bounds[:-1, 1, 0]).all()
    assert set(made.scales.values()) == {1.0}
    scene = Scene.from_view(made.views[0], [one.name for one in made.objects])
    assert scene.names == tuple(MESHES)


def test_the_seed_turns_and_colors():
    first, again, other = (half_hidden(MESHES, seed=seed).views[0].rgb for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_own_color_is_kept():
    red = Mesh(MESHES["can"].vertices, MESHES["can"].faces, np.tile([1.0, 0, 0], (len(MESHES["can"].vertices), 1)))
    (found,) = half_hidden({"red": red}).objects
    np.testing.assert_array_equal(found.mesh.colors, red.colors)


@pytest.mark.parametrize(
    ("meshes", "hidden", "told"),
    [
        ({}, 0.5, "no mesh"),
        ({"nothing": Mesh.empty()}, 0.5, "nothing: an empty mesh"),
        (MESHES, 0.0, "between 0 and 1, not 0.0"),
        (MESHES, 1.0, "between 0 and 1, not 1.0"),
        (dict.fromkeys(map(str, range(98)), MESHES["can"]), 0.5, "at most 97 objects, not 98"),
        ({"can": MESHES["can"], "thread": box((1e-5, 1e-5, 1.0))}, 0.5, "thread: it covers no pixel"),
    ],
)
def test_what_cannot_be_hidden_is_refused(meshes, hidden, told):
    with pytest.raises(ValueError, match=told):
        half_hidden(meshes, hidden=hidden)


def test_an_image_without_pixels_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel wide, not 0"):
        half_hidden(MESHES, image_size=0)


def test_a_row_is_saved_and_loaded(tmp_path):
    """Its boards are walls, and its placements bring what is loaded back upright."""
    made = half_hidden(MESHES, image_size=96, seed=3)
    save_scene(made, tmp_path / "row")
    again = load_scene(tmp_path / "row")
    assert torch.equal(again.views[0].index, made.views[0].index)
    assert [one.yaw for one in again.placements] == [one.yaw for one in made.placements]
    assert visible_shares(again, again.views[0]) == visible_shares(made, made.views[0])
