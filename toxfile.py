"""Tells tox of the packages, so that a new one needs no entry in tox.ini."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State

PACKAGES = sorted(path.parent.name for path in Path(__file__).parent.glob("packages/*/pyproject.toml"))


def _requirement(name: str) -> str:
    """A package with its extra `all`, if it has one: what its tests may need and its users may leave out."""
    project = tomllib.loads((Path(__file__).parent / "packages" / name / "pyproject.toml").read_text())["project"]
    return f"-e packages/{name}{'[all]' if 'all' in project.get('optional-dependencies', {}) else ''}"


EVERYTHING = "\n".join(["-e shared[ray]", *map(_requirement, PACKAGES)])


@impl
def tox_extend_envs() -> Iterable[str]:
    """Name one environment a package; `[testenv]` describes it."""
    return PACKAGES


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001 (the hook's signature)
    """Install everything where everything is wanted, and elsewhere the one package whole."""
    for environment in ("all", "explore", "gpu", "lint"):
        state.conf.memory_seed_loaders[environment].append(MemoryLoader(deps=EVERYTHING))
    for name in PACKAGES:
        state.conf.memory_seed_loaders[name].append(MemoryLoader(deps=_requirement(name)))
