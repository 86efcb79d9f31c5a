"""How much of an object is seen, against scenes of boxes whose answer is known."""

import numpy as np
import pytest
import torch

from fixer3d.geometry.cameras import Intrinsics, look_at
from fixer3d.scenes.generation import SceneObject, SyntheticScene
from fixer3d.scenes.layout import Placement
from fixer3d.scenes.occlusion import visible_shares
from fixer3d.scenes.primitives import box
from fixer3d.scenes.rendering import Light, Renderer

LIGHT = Light(np.array([0.0, -1, 0]), 0.5, np.ones(3))


def shares(*meshes):
    """Of boxes that a camera at y = -8 sees along y."""
    names = "abc"
    pose, camera = look_at(torch.tensor([0.0, -8, 0]), torch.zeros(3)), Intrinsics.from_fov(30, 64, 64)
    view = Renderer(meshes).render(camera, pose, LIGHT)
    objects = tuple(SceneObject(name, "box", mesh) for name, mesh in zip(names, meshes))
    return visible_shares(SyntheticScene(objects, (view,), (Placement(1, 0, (0, 0, 0)),) * len(meshes), 0), view)


def test_an_object_alone_is_seen_whole():
    assert shares(box((1, 1, 1))) == {"a": 1}


def test_half_an_object_is_hidden():
    far, near = box((2, 0.01, 2)), box((0.5, 0.01, 1), (0.25, -4, 0))
    assert shares(far, near) == {"a": pytest.approx(0.5, abs=0.04), "b": 1}


def test_what_the_image_cuts_off_is_not_seen():
    edge = 8 * np.tan(np.radians(15))
    found = shares(box((1, 0.01, 1), (edge, 0, 0)), box((1, 0.01, 1), (-2.5 * edge, 0, 0)))
    assert found == {"a": pytest.approx(0.5, abs=0.05), "b": 0}
