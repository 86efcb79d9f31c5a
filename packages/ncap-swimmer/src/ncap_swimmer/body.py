"""The swimmer's body in MuJoCo's model format: a chain of links in a thick fluid (the swimmer of Tassa et al. 2018)."""

import math
from xml.etree import ElementTree as ET

PHYSICS_TIMESTEP = 0.002
"""Seconds of one physics step."""

CONTROL_STEPS = 15
"""Physics steps of one control step (30 ms)."""

LINK_LENGTH = 0.1
"""Metres between two joints."""

NOSE = -0.06
"""Where the nose is along the head's y axis, in metres; the head looks along -y."""

TARGET_RADIUS = 0.1
"""Metres."""

MAX_LINKS = 490
"""How deep MuJoCo nests bodies."""


def joint_limit(n_links: int) -> float:
    """How far a joint of a body with `n_links` links bends to either side, in radians: a full circle over the links."""
    return 2 * math.pi / n_links


def swimmer_xml(n_links: int, *, target: bool = False) -> str:
    """The MJCF document of a swimmer.

    Every link weighs 10 g; hinges turn about the vertical with soft limits, are driven by motors of gear 5e-4, and
    the root moves freely in the plane. Each link carries a velocimeter and a gyroscope (sensors `velocity_i` and
    `rotation_i`, head first). Contacts are off; the fluid has density 3000 kg/m^3.

    Args:
        n_links: Number of links, from 3 to 490; one more than joints.
        target: Also draw a target (geom `target`, no physics) for the task *navigate*.

    Raises:
        ValueError: if there are fewer or more links.
    """
    if n_links < 3:
        raise ValueError(f"a swimmer needs at least 3 links, not {n_links}")
    if n_links > MAX_LINKS:
        raise ValueError(f"a swimmer has at most {MAX_LINKS} links, not {n_links}: MuJoCo nests bodies no deeper")
    model = ET.Element("mujoco", model=f"swimmer{n_links}")
    ET.SubElement(model, "compiler", autolimits="true")
    option = ET.SubElement(model, "option", timestep=str(PHYSICS_TIMESTEP), density="3000")
    ET.SubElement(option, "flag", contact="disable")
    _defaults(model)
    _assets(model)
    world = ET.SubElement(model, "worldbody")
    ET.SubElement(world, "geom", name="ground", type="plane", size="40 40 0.1", material="grid")
    ET.SubElement(world, "light", diffuse="0.9 0.9 0.9", pos="0 0 3", directional="true")
    if target:
        ET.SubElement(
            world, "geom", name="target", type="sphere", pos="1 1 0.05", size=str(TARGET_RADIUS), material="target"
        )
    sensors, motors = ET.Element("sensor"), ET.Element("actuator")
    link = _head(world, n_links)
    for index in range(n_links):
        if index:
            link = _segment(link, index, math.degrees(joint_limit(n_links)))
            ET.SubElement(motors, "motor", name=f"motor_{index - 1}", joint=f"joint_{index - 1}")
        ET.SubElement(sensors, "velocimeter", name=f"velocity_{index}", site=f"link_{index}")
        ET.SubElement(sensors, "gyro", name=f"rotation_{index}", site=f"link_{index}")
    model.extend((motors, sensors))
    ET.indent(model)
    return ET.tostring(model, encoding="unicode")


def _defaults(model: ET.Element) -> None:
    default = ET.SubElement(model, "default")
    hinge = {"type": "hinge", "pos": "0 -.05 0", "axis": "0 0 1", "armature": "1e-6"}
    ET.SubElement(default, "joint", hinge | {"solreflimit": ".05 1", "solimplimit": "0 .8 .1"})
    ET.SubElement(default, "motor", gear="5e-4", ctrllimited="true", ctrlrange="-1 1")
    ET.SubElement(default, "site", size=".005", rgba="0 0 0 0")
    matter = ET.SubElement(default, "default", {"class": "matter"})
    ET.SubElement(matter, "geom", type="box", size=".001 .05 .01", mass=".01", rgba="0 0 0 0")
    skin = ET.SubElement(default, "default", {"class": "skin"})
    ET.SubElement(skin, "geom", type="capsule", size=".01", fromto="0 -.05 0 0 .05 0", mass="0", material="skin")


def _assets(model: ET.Element) -> None:
    asset = ET.SubElement(model, "asset")
    sky = {"type": "skybox", "builtin": "gradient", "rgb1": ".35 .5 .65", "rgb2": ".05 .1 .15"}
    ET.SubElement(asset, "texture", {"name": "sky", "width": "64", "height": "64"} | sky)
    checker = {"type": "2d", "builtin": "checker", "rgb1": ".14 .25 .34", "rgb2": ".17 .29 .38"}
    ET.SubElement(asset, "texture", {"name": "grid", "width": "256", "height": "256"} | checker)
    ET.SubElement(asset, "material", name="grid", texture="grid", texrepeat="5 5", texuniform="true")
    ET.SubElement(asset, "material", name="skin", rgba=".93 .68 .33 1")
    ET.SubElement(asset, "material", name="nose", rgba=".85 .3 .2 1")
    ET.SubElement(asset, "material", name="target", rgba=".55 .85 .45 .6")


def _head(world: ET.Element, n_links: int) -> ET.Element:
    head = ET.SubElement(world, "body", name="link_0", pos="0 0 .05")
    for name, kind, axis in (
        ("root_x", "slide", "1 0 0"),
        ("root_y", "slide", "0 1 0"),
        ("root_heading", "hinge", "0 0 1"),
    ):
        ET.SubElement(head, "joint", name=name, type=kind, axis=axis, armature="0", limited="false")
    ET.SubElement(head, "geom", {"class": "matter"})
    ET.SubElement(head, "geom", {"class": "skin"})
    ET.SubElement(head, "geom", type="ellipsoid", size=".02 .04 .017", pos="0 -.022 0", mass="0", material="skin")
    ET.SubElement(head, "geom", type="sphere", size=".006", pos=f"0 {NOSE} 0", mass="0", material="nose")
    ET.SubElement(head, "site", name="link_0")
    length = n_links * LINK_LENGTH
    middle = (length - LINK_LENGTH) / 2
    ET.SubElement(head, "camera", name="above", mode="trackcom", pos=f"0 {middle:g} {1.2 * length + 0.3:g}", fovy="45")
    return head


def _segment(parent: ET.Element, index: int, limit: float) -> ET.Element:
    link = ET.SubElement(parent, "body", name=f"link_{index}", pos=f"0 {LINK_LENGTH} 0")
    ET.SubElement(link, "joint", name=f"joint_{index - 1}", range=f"{-limit!r} {limit!r}")
    ET.SubElement(link, "geom", {"class": "matter"})
    ET.SubElement(link, "geom", {"class": "skin"})
    ET.SubElement(link, "site", name=f"link_{index}")
    return link
