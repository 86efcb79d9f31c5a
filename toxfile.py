"""Tells tox of the packages, so that a new one needs no entry in tox.ini."""

from collections.abc import Iterable
from pathlib import Path

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State

PACKAGES = sorted(path.parent.name for path in Path(__file__).parent.glob("packages/*/pyproject.toml"))
EVERYTHING = "\n".join(["-e shared[ray]", *(f"-e packages/{name}" for name in PACKAGES)])


@impl
def tox_extend_envs() -> Iterable[str]:
    """Name one environment a package; `[testenv]` describes it."""
    return PACKAGES


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001 (the hook's signature)
    """Install everything where everything is wanted."""
    for environment in ("all", "gpu", "lint"):
        state.conf.memory_seed_loaders[environment].append(MemoryLoader(deps=EVERYTHING))
