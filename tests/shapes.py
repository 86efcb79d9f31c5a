"""Every call in the packages checked against its annotations, shapes included, while tests run.

jaxtyping's import hook puts its decorator on every function. That decorator binds the arguments of each call and checks
them twice, to explain best what is wrong; with a million calls in a test run, most of the time went there. The one here
checks them once, and opens a scope for the names of dimensions only where there are any.
"""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jaxtyping

Typechecker = Callable[[Any], Any]

jaxtyped = jaxtyping.jaxtyped
"""jaxtyping's own."""


def install(modules: Sequence[str], typechecker: str) -> None:
    """Check every call in these modules, which are not imported yet, by a decorator such as `house.typecheck`."""
    jaxtyping.jaxtyped = _instead  # type: ignore[assignment]
    jaxtyping.install_import_hook(modules, typechecker)


def _instead(*scope: str, typechecker: Typechecker | None = None) -> Any:
    """What the code that the hook compiles finds in the place of jaxtyping's decorator."""
    if scope or typechecker is None:
        return jaxtyped(*scope)
    return functools.partial(checked, typechecker=typechecker)


def checked(item: Any, typechecker: Typechecker) -> Any:
    """A function whose arguments and result are checked; a dataclass whose fields are; anything else as it is."""
    if getattr(item, "__no_type_check__", False):
        return item
    if inspect.isclass(item):
        own = item.__init__
        if dataclasses.is_dataclass(item) and inspect.isfunction(own) and not hasattr(own, "__wrapped__"):
            item.__init__ = checked(own, typechecker)  # type: ignore[method-assign]
        return item
    if not inspect.isfunction(item):
        return jaxtyped(item, typechecker=typechecker)
    if any("{" in str(annotation) for annotation in item.__annotations__.values()):
        # A dimension that is computed from the arguments: they must be bound.
        return jaxtyped(item, typechecker=typechecker)
    hints = {name: _resolved(one, item.__globals__) for name, one in item.__annotations__.items()}
    return _calling(item, typechecker(_copy(item, hints)), has_shapes=any(map(_has_shapes, hints.values())))


def _calling(function: Callable[..., Any], inner: Callable[..., Any], *, has_shapes: bool) -> Callable[..., Any]:
    """The function by way of `inner`, which checks, unless checks are off."""
    config = jaxtyping.config

    @functools.wraps(function)
    def with_shapes(*args: Any, **kwargs: Any) -> Any:
        if config.jaxtyping_disable:
            return function(*args, **kwargs)
        with jaxtyped("context"):
            return inner(*args, **kwargs)

    @functools.wraps(function)
    def without(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if config.jaxtyping_disable else inner(*args, **kwargs)

    return with_shapes if has_shapes else without


def _copy(function: types.FunctionType, hints: Mapping[str, Any]) -> types.FunctionType:
    """The same function with other annotations."""
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    for name in ("__kwdefaults__", "__qualname__", "__module__"):
        setattr(copy, name, getattr(function, name))
    copy.__annotations__ = dict(hints)
    return copy


def _resolved(annotation: Any, namespace: dict[str, Any]) -> Any:
    """The annotation without names in quotes; anything at all where a name is known to type checkers only."""

    def holder() -> None:
        """Holds it."""

    holder.__annotations__ = {"it": annotation}
    try:
        return typing.get_type_hints(holder, namespace, include_extras=True)["it"]
    except Exception:  # noqa: BLE001 - whatever evaluating it brings
        return Any


def _has_shapes(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(map(_has_shapes, hint if isinstance(hint, list) else typing.get_args(hint)))
