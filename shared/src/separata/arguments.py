"""The words of a command line as the call of a typed function, and help that people can read."""

import contextlib
import difflib
import functools
import inspect
import io
import itertools
import os
import re
import shutil
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from tyro.constructors import (
        ConstructorRegistry,
        PrimitiveConstructorSpec,
        PrimitiveTypeInfo,
        StructConstructorSpec,
        StructTypeInfo,
    )

WIDEST = 80
SIMILAR = 0.7
"""From this share of letters in common on, a word is taken for a slip of another."""

HELP = {"-h", "--help"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EMPTY_ROW = re.compile(r"│ *│")
NESTED = re.compile(r"(?:\x1b\[[0-9;]*m| )((?:[\w-]+\.)+)(?=[\w-]+(?:\x1b\[[0-9;]*m)* options)")
"""What leads to the dataclass whose options are in a box, in the box's title."""
LONGEST = 24
"""Columns of an option with its value; with a longer one, tyro lets the lines of the others break, too."""
METAVARS: dict[Any, str] = {int: "N", float: "X", str: "TEXT", Path: "PATH", bool: "{True,False}"}


@dataclass(frozen=True)
class Option:
    """How the command line shows an argument, where its type and the docstring do not say it.

    It stands in the annotation: `only: Annotated[tuple[str, ...], Option("CLAIM ...")]`.

    Args:
        metavar: What stands for the value in the help.
        help: What the argument does.
    """

    metavar: str = ""
    help: str = ""


def summary(function: Callable[..., Any]) -> str:
    """The first sentence of a function's docstring, without the full stop."""
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")


def width() -> int:
    """Columns of the terminal, but no more than a person reads easily."""
    return min(WIDEST, shutil.get_terminal_size().columns)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean this?`, where one of `known` is close to `word`, or is the only one that begins with it."""
    by_letters = {one.removeprefix("--"): one for one in known}
    letters = word.removeprefix("--")
    longer = [one for one in by_letters if letters and one.startswith(letters)]
    found = longer if len(longer) == 1 else difflib.get_close_matches(letters, by_letters, 1, SIMILAR)
    return f"; did you mean {by_letters[found[0]]}?" if found else ""


def call(prog: str, function: Callable[..., Any], words: Sequence[str]) -> Callable[[], Any]:
    """The call of `function` that `words` ask for, not made yet.

    Raises:
        ValueError: if the words do not fit the function; one sentence.
        SystemExit: after `--help`.
    """
    import tyro

    if not HELP & set(words):
        _check(prog, function, words)
    page, told = _Page(), io.StringIO()
    try:
        with contextlib.redirect_stdout(page), contextlib.redirect_stderr(told):
            return tyro.cli(
                _postponed(function),
                prog=prog,
                description="",
                args=words,
                config=(tyro.conf.OmitArgPrefixes,),
                registry=_registry(),
            )
    except SystemExit as end:
        if end.code:
            raise ValueError(f"{_complaint(function, told.getvalue())}; see {prog} --help") from None
        print(_tidy(page.getvalue(), _description(function)))  # noqa: T201
        raise


class _Page(io.StringIO):
    """Keeps what is printed, in colour where it will end on a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self._is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def isatty(self) -> bool:
        """Whether there is colour."""
        return self._is_coloured


def _tidy(page: str, description: str) -> str:
    """The page with a description below its first line, and no empty rows in its boxes."""
    usage, _, boxes = page.partition("\n\n")
    if len(plain := COLOUR.sub("", usage)) > width():
        usage = textwrap.fill(plain, width(), subsequent_indent=" " * len("usage: "), break_on_hyphens=False)
    rows = [_titled(row) for row in boxes.splitlines() if not EMPTY_ROW.fullmatch(COLOUR.sub("", row))]
    return "\n".join([usage, "", *([description, ""] if description else []), *rows])


def _titled(row: str) -> str:
    """A row of the page; a title of a dataclass inside another has its name alone, not what leads to it."""
    found = NESTED.search(row) if COLOUR.sub("", row).startswith("╭") else None
    if found is None:
        return row
    before, outer, after = row[: found.start(1)], found[1], row[found.end(1) :]
    return before + after.replace("╮", "─" * len(outer) + "╮")


def _description(function: Callable[..., Any]) -> str:
    """What the docstring says before its sections, in lines that fit."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    told = [one for one in paragraphs if not one.startswith(("Args:", "Raises:", "Returns:"))]
    return "\n\n".join(textwrap.fill(one, width()) for one in told)


def _arguments(function: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any]]:
    """The arguments of a function with their annotations, as objects."""
    hints = typing.get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        yield parameter, hints[parameter.name]


def _options(function: Callable[..., Any], made: object = None) -> Iterator[tuple[str, bool]]:
    """The options of a command, `--n-links`, and whether they must be given.

    Those of a dataclass are its fields, with the values in `made`, an instance of it, for defaults.
    """
    for parameter, kind in _arguments(function):
        default = getattr(made, parameter.name, parameter.default)
        name = parameter.name.replace("_", "-")
        if is_dataclass(kind):
            yield from _options(kind, default)  # type: ignore[arg-type] # a class is called too
        elif parameter.kind is not parameter.POSITIONAL_ONLY:
            yield f"--{name}", default is parameter.empty
            if default is True:
                yield f"--no-{name}", False


def _check(prog: str, function: Callable[..., Any], words: Sequence[str]) -> None:
    """Refuse an option that does not exist, and say which are missing."""
    options = dict(_options(function))
    given = [word.split("=")[0].replace("_", "-") for word in words if word.startswith("--")]
    for option in given:
        if option not in options:
            raise ValueError(f"there is no option {option}{nearest(option, options) or f'; see {prog} --help'}")
    if missing := [option for option, is_required in options.items() if is_required and option not in given]:
        raise ValueError(f"{' and '.join(missing)} must be given; see {prog} --help")


def _postponed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same arguments that gives the call instead of making it, annotated for people."""

    def postponed(*args: Any, **kwargs: Any) -> Callable[[], Any]:  # noqa: ANN401 - passed on
        return functools.partial(function, *args, **kwargs)

    shown = [
        parameter.replace(
            annotation=_shown(parameter.name, kind, parameter.default, is_positional=parameter.kind == 0),
        )
        for parameter, kind in _arguments(function)
    ]
    # Whatever wraps it would lead back to the annotations that it has here.
    vars(postponed).pop("__wrapped__", None)
    postponed.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    postponed.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    postponed.__doc__ = function.__doc__
    return postponed


def _shown(name: str, kind: Any, default: Any, *, is_positional: bool = False) -> Any:  # noqa: ANN401 - any argument's
    """The annotation of an argument with what the help shows of it."""
    import tyro

    if is_dataclass(kind):
        return kind
    given = next((one for one in typing.get_args(kind)[1:] if isinstance(one, Option)), Option())
    choices = () if given.metavar else _choices(kind)
    metavar = given.metavar or _metavar(kind)
    if choices and len(f"--{name} {metavar}") > LONGEST:
        metavar = "NAME"
    else:
        choices = ()
    if is_positional:
        metavar = name.upper() + (" ..." if metavar.endswith("...") else "")
        metavar = metavar if default is inspect.Parameter.empty else f"[{metavar}]"
    marks: list[Any] = []
    if default is False:
        marks.append(tyro.conf.FlagCreatePairsOff)
    is_flag = isinstance(default, bool)
    shown = tyro.conf.arg(
        metavar=None if is_flag else metavar,
        help=given.help or None,
        help_behavior_hint=("(default: yes)" if default else "") if is_flag else functools.partial(_hint, choices),
    )
    return Annotated[(kind, shown, *marks)]


def _hint(choices: Sequence[str], label: str) -> str:
    """What the help says in brackets: the choices, where they do not stand beside the option, and the default."""
    default = "" if label in {"", "''", "None"} else f"default: {label}"
    told = "; ".join(filter(None, (", ".join(choices), default)))
    return f"({told})" if told else ""


def _choices(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - any annotation
    """The choices that an annotation leaves, if it is a `Literal` or an optional one."""
    inner = typing.get_args(kind)
    if typing.get_origin(kind) in {typing.Union, UnionType}:
        return next((_choices(one) for one in inner if one is not NoneType), ())
    return tuple(map(str, inner)) if typing.get_origin(kind) is typing.Literal else ()


def _metavar(kind: Any) -> str:  # noqa: ANN401 - any annotation
    """What stands for a value of this type."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _metavar(inner[0])
    if origin in {typing.Union, UnionType}:
        return "|".join(_metavar(one) for one in inner if one is not NoneType)
    if origin is typing.Literal:
        return "{" + ",".join(map(str, inner)) + "}"
    if origin is tuple and inner[-1] is not Ellipsis:
        return " ".join(map(_metavar, inner))
    if origin in {tuple, list, set, frozenset}:
        return f"{_metavar(inner[0])} ..."
    return METAVARS.get(kind, getattr(kind, "__name__", "VALUE").upper())


def _registry() -> "ConstructorRegistry":
    """How tyro is to read numbers, what may be left out, and dataclasses."""
    from tyro.constructors import ConstructorRegistry, StructConstructorSpec

    registry = ConstructorRegistry()
    registry.primitive_rule(_number_rule)
    registry.primitive_rule(_optional_rule)
    is_inside = False

    def dataclass_rule(info: "StructTypeInfo") -> "StructConstructorSpec | None":
        """The fields that tyro finds, shown as the arguments of functions are."""
        nonlocal is_inside
        if is_inside or not is_dataclass(info.type):
            return None
        is_inside = True
        try:
            spec = ConstructorRegistry.get_struct_spec(info)
        finally:
            is_inside = False
        if not isinstance(spec, StructConstructorSpec):
            return None
        shown = [replace(field, type=_shown(field.name, field.type, field.default)) for field in spec.fields]
        return replace(spec, fields=tuple(shown))

    registry.struct_rule(dataclass_rule)
    return registry


def _number_rule(info: "PrimitiveTypeInfo") -> "PrimitiveConstructorSpec[Any] | None":
    """Numbers, with an error that says what was expected."""
    from tyro.constructors import PrimitiveConstructorSpec

    kind = info.type
    if kind not in {int, float}:
        return None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=METAVARS[kind],
        instance_from_str=functools.partial(_number, kind),
        is_instance=lambda value: isinstance(value, (int, kind)) and not isinstance(value, bool),
        str_from_instance=lambda value: [str(value)],
    )


def _number(kind: type[int] | type[float], words: list[str]) -> int | float:
    try:
        return kind(words[0])
    except ValueError:
        raise ValueError(f"must be a {'whole ' * (kind is int)}number, not '{words[0]}'") from None


def _optional_rule(info: "PrimitiveTypeInfo") -> "PrimitiveConstructorSpec[Any] | None":
    """What may be left out is read as what it is when it is given."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    kinds = [one for one in typing.get_args(info.type) if one is not NoneType]
    if info.type_origin not in {typing.Union, UnionType} or len(kinds) != 1:
        return None
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec):
        return None
    return replace(
        spec,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: [] if value is None else spec.str_from_instance(value),
    )


def _complaint(function: Callable[..., Any], box: str) -> str:
    """What a boxed message says before its first rule, as a clause."""
    rows = [row.strip("│╭╮╰╯ ") for row in COLOUR.sub("", box).splitlines()[1:]]
    said = " ".join(itertools.takewhile(lambda row: not set(row) <= {"─"}, rows)).rstrip(".")
    if found := re.fullmatch(r"Error parsing (.+?): (.*)", said):
        name, reason = found.groups()
        if name.partition(".")[0] in {one.name for one, kind in _arguments(function) if is_dataclass(kind)}:
            return reason
        if words := re.fullmatch(r"Could not find valid parse for arguments: \[(.*)\]", reason):
            return f"{name} cannot be {words[1]}"
        return f"{name} {reason}" if reason.startswith("must") else f"{name}: {reason}"
    if found := re.fullmatch(r"invalid choice '(.*)' for argument '(.*)'\. Expected one of \((.*)\)", said):
        choices = re.findall(r"'(.*?)'", found[3])
        return f"{found[2]} must be one of {', '.join(choices)}, not '{found[1]}'"
    if found := re.match(r"Missing value for argument '(.+?)'", said):
        return f"{found[1]} needs a value" if found[1].startswith("-") else f"{found[1].upper()} must be given"
    if found := re.fullmatch(r"Unrecognized options: (.*)", said):
        return f"there is no {'option' if found[1].startswith('-') else 'place for'} {found[1]}"
    if said.startswith("Missing from"):
        places = [one.name.upper() for one, _ in _arguments(function) if one.kind is one.POSITIONAL_ONLY]
        return f"{' and '.join(place for place in places if f' {place} ' in said)} must be given"
    return said
