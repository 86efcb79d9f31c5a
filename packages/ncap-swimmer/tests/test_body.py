import math
from xml.etree import ElementTree as ET

import mujoco
import numpy as np
import pytest

from ncap_swimmer import joint_limit, swimmer_xml
from ncap_swimmer.body import MAX_LINKS


def compiled(n_links, **options):
    return mujoco.MjModel.from_xml_string(swimmer_xml(n_links, **options))


@pytest.mark.parametrize("n_links", [3, 4, 6, 7, 14, 15])
def test_joint_limit_is_a_full_circle_over_the_links(n_links):
    assert joint_limit(n_links) == pytest.approx(2 * math.pi / n_links, abs=1e-15)
    model = compiled(n_links)
    assert model.jnt_limited.tolist() == [0, 0, 0] + [1] * (n_links - 1)
    np.testing.assert_allclose(model.jnt_range[3:], np.outer(np.ones(n_links - 1), [-1, 1]) * 2 * np.pi / n_links)


@pytest.mark.parametrize("n_links", [3, 6, 14])
def test_numbers_of_the_compiled_body(n_links):
    model = compiled(n_links)
    n = n_links - 1
    assert (model.nq, model.nv, model.nu, model.nbody) == (n + 3, n + 3, n, n_links + 1)
    assert (model.opt.timestep, model.opt.density, model.opt.viscosity) == (0.002, 3000, 0)
    assert model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CONTACT
    mass, half = 0.01, np.array([0.001, 0.05, 0.01])
    np.testing.assert_allclose(model.body_mass[1:], mass)
    # A solid box: m/3 of the sum of the squares of the two other half sizes.
    inertia = mass / 3 * (np.sum(half**2) - half**2)
    np.testing.assert_allclose(np.sort(model.body_inertia[1:], -1), np.tile(np.sort(inertia), (n_links, 1)))
    np.testing.assert_allclose(model.body_ipos[1:], 0, atol=1e-15)
    np.testing.assert_allclose(model.body_pos[1:], [[0, 0, 0.05]] + [[0, 0.1, 0]] * n)
    np.testing.assert_allclose(model.jnt_pos, [[0, -0.05, 0]] * (n + 3))
    np.testing.assert_allclose(model.jnt_axis, [[1, 0, 0], [0, 1, 0]] + [[0, 0, 1]] * (n + 1))
    np.testing.assert_allclose(model.dof_armature, [0, 0, 0] + [1e-6] * n)
    np.testing.assert_allclose(model.dof_damping, 0)
    np.testing.assert_allclose(model.jnt_stiffness, 0)
    np.testing.assert_allclose(model.jnt_solref[3:], [[0.05, 1]] * n)
    np.testing.assert_allclose(model.jnt_solimp[3:, :3], [[0, 0.8, 0.1]] * n)
    np.testing.assert_allclose(model.actuator_gear[:, 0], 5e-4)
    np.testing.assert_allclose(model.actuator_ctrlrange, [[-1, 1]] * n)
    assert model.actuator_ctrllimited.all()
    assert model.actuator_trnid[:, 0].tolist() == list(range(3, n + 3))


@pytest.mark.parametrize("n_links", [3, 6])
def test_sensors_are_a_velocimeter_and_a_gyroscope_a_link_head_first(n_links):
    model = compiled(n_links)
    names = [model.sensor(i).name for i in range(model.nsensor)]
    assert names == [f"{kind}_{i}" for i in range(n_links) for kind in ("velocity", "rotation")]
    assert model.nsensordata == 6 * n_links
    bodies = model.site_bodyid[model.sensor_objid]
    assert bodies.tolist() == [i + 1 for i in range(n_links) for _ in range(2)]


def test_target_changes_no_physics():
    plain, other = compiled(4), compiled(4, target=True)
    ends = []
    for model in (plain, other):
        data = mujoco.MjData(model)
        data.qpos[3:] = 0.4, -0.2, 0.3
        data.ctrl[:] = 1, -0.5, 0.25
        mujoco.mj_step(model, data, 500)
        ends.append(data.qpos.copy())
    np.testing.assert_array_equal(*ends)
    assert other.geom("target").size[0] == 0.1
    assert "target" not in [plain.geom(i).name for i in range(plain.ngeom)]


def test_document_is_xml_that_survives_a_parser():
    text = swimmer_xml(5)
    assert swimmer_xml(5) == text
    assert ET.tostring(ET.fromstring(text), encoding="unicode") == text


def test_nose_is_ahead_of_the_head_along_minus_y():
    model = compiled(3)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    spheres = [i for i in range(model.ngeom) if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_SPHERE]
    assert len(spheres) == 1
    np.testing.assert_allclose(data.geom_xpos[spheres[0]] - data.xpos[1], [0, -0.06, 0], atol=1e-12)
    np.testing.assert_allclose(data.xpos[3] - data.xpos[1], [0, 0.2, 0], atol=1e-12)


def test_the_longest_body_compiles():
    assert compiled(MAX_LINKS).nu == MAX_LINKS - 1
    with pytest.raises(ValueError, match="at most 490 links, not 491"):
        swimmer_xml(MAX_LINKS + 1)


@pytest.mark.parametrize("n_links", [2, 1, 0, -3])
def test_too_few_links(n_links):
    with pytest.raises(ValueError, match="at least 3 links"):
        swimmer_xml(n_links)
