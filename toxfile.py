"""Tells tox of the packages, so that a new one needs no entry in tox.ini, and installs them."""

import logging
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet
from tox.execute.api import Outcome, StdinSource
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.api import ToxEnv
from tox.tox_env.errors import Fail

LOGGER = logging.getLogger(__name__)
ROOT = Path(__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
CORE = "-e shared[mat,onnx,ray]"
INSTALLED: dict[str, list[str]] = {}
"""What stands in the environments of this run."""


def requirement(name: str) -> str:
    """A package with its extra `all`, if it has one: what its tests may need and its users may leave out."""
    try:
        project = tomllib.loads((ROOT / "packages" / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (tomllib.TOMLDecodeError, KeyError):
        project = {}  # installing it will say what is wrong
    return f"-e packages/{name}{'[all]' if 'all' in project.get('optional-dependencies', {}) else ''}"


def composing(words: Sequence[str]) -> list[str]:
    """The packages of the compositions that take the packages named by `--package=NAME`, or of all compositions."""
    chosen = {word.removeprefix("--package=") for word in words if word.startswith("--package=")}
    text = (ROOT / "tests" / "test_compositions.py").read_text(encoding="utf-8")
    compositions = [set(re.findall(r'"([\w-]+)"', one)) for one in re.findall(r"mark\.composes\(([^)]*)\)", text)]
    return sorted(set().union(*(one for one in compositions if not chosen or chosen & one)) & set(PACKAGES))


@impl
def tox_extend_envs() -> Iterable[str]:
    """Name one environment a package; `[testenv]` describes it."""
    return PACKAGES


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001 (the hook's signature)
    """Say what is installed: one package whole, or as many as are tested together."""
    together = [requirement(name) for name in PACKAGES]
    INSTALLED.update({name: [requirement(name)] for name in PACKAGES})
    INSTALLED.update({name: [CORE, *together] for name in ("all", "explore", "gpu", "lint")})
    INSTALLED["separata"] = [CORE]
    INSTALLED["compositions"] = [CORE, *map(requirement, composing(state.conf.pos_args(None) or ()))]
    for name, requirements in INSTALLED.items():
        # Of those that are tested together, one that cannot be installed shall not hide the others: see below.
        state.conf.memory_seed_loaders[name].append(MemoryLoader(deps=requirements[0]))


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """Install what is new since the environment was made, and say which packages cannot be installed."""
    requirements = INSTALLED.get(tox_env.name, [])
    if not requirements or install(tox_env, requirements).exit_code == Outcome.OK:
        return
    sound = []
    for one in requirements:
        tried = install(tox_env, [one], "--dry-run")
        if tried.exit_code == Outcome.OK:
            sound.append(one)
        else:
            LOGGER.error("%s cannot be installed:\n%s", one.removeprefix("-e "), tried.err)
    if len(sound) < 2 or (last := install(tox_env, sound)).exit_code != Outcome.OK:
        raise Fail(f"nothing can be tested\n{last.err if len(sound) > 1 else ''}")


def install(tox_env: ToxEnv, requirements: Sequence[str], *options: str) -> Outcome:
    """Install requirements with uv, in silence."""
    words = [word for one in requirements for word in one.split()]
    uv: str = cast("Any", tox_env.installer).uv
    command = [uv, "pip", "install", "--color", "never", *options, *words]
    return tox_env.execute(command, stdin=StdinSource.OFF, show=False, run_id="packages")
