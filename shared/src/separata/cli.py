"""The command line that every package shares, made from typed functions."""

import functools
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

from .arguments import HELP, WIDEST, Option, call, nearest, summary
from .extras import MissingExtraError, advice
from .paper import Paper
from .threads import HELP as THREADS_HELP
from .threads import limited

WIDTH = WIDEST - 1
BAD_INPUT = 2
INTERRUPTED = 130
UNREAD = 141


def main(paper: Paper, commands: Sequence[Callable[..., Any]], arguments: Sequence[str] | None = None) -> None:
    """Run the command line of a paper's package.

    Args:
        paper: The paper.
        commands: The package's own commands: typed functions whose docstrings are the help; each gets an option
            `--threads` besides its own. A `ValueError` or `OSError` that one raises is shown as one line, with exit
            code 2, and so is a module that an extra of the package would bring.
        arguments: Instead of the process's own.
    """
    from .commands import of

    own = {function.__name__.replace("_", "-"): _with_threads(function) for function in commands}
    papers = "\n\n".join(
        textwrap.fill(one.cited, WIDTH) + (f"\n{one.url}" if one.url else "") for one in paper.references
    )
    run(paper.name, papers, {**own, **of(paper)}, lambda: paper.version, arguments)


def _with_threads(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same command on one thread, or on as many as its option `--threads` says."""
    signature = inspect.signature(function)
    if "threads" in signature.parameters:
        return function

    @functools.wraps(function)
    def command(*args: Any, threads: int | None = None, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        with limited(threads):
            return function(*args, **kwargs)

    kind = Annotated[int | None, Option("N", THREADS_HELP)]
    extra = inspect.Parameter("threads", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), extra]
    )
    command.__annotations__ = {**function.__annotations__, "threads": kind}
    return command


def run(
    name: str,
    description: str,
    commands: Mapping[str, Callable[..., Any]],
    version: Callable[[], str],
    arguments: Sequence[str] | None = None,
) -> None:
    """Run a command line of several commands."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            _dispatch(name, description, commands, version, words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        _leave_unread()
    except (ValueError, OSError, ModuleNotFoundError) as error:
        reason = _reason(name, words, error)
        if reason is None or os.environ.get("SEPARATA_TRACEBACK"):
            raise
        _refuse(name, reason)
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error) or os.environ.get("SEPARATA_TRACEBACK"):
            raise
        _refuse(name, "there is not enough memory for these settings; lower the sizes or the numbers of samples")


def _dispatch(
    name: str,
    description: str,
    commands: Mapping[str, Callable[..., Any]],
    version: Callable[[], str],
    words: Sequence[str],
) -> None:
    """Do what the words ask for."""
    first, rest = words[0] if words else "--help", words[1:]
    if first == "--version":
        print(version())  # noqa: T201
    elif first in HELP:
        print(_overview(name, description, commands))  # noqa: T201
    elif first in commands:
        call(f"{name} {first}", commands[first], rest)()
    else:
        known = nearest(first, commands) or f"; the commands are {', '.join(commands)}"
        raise ValueError(f"there is no command {first}{known}")


def _overview(name: str, description: str, commands: Mapping[str, Callable[..., Any]]) -> str:
    """The help that lists the commands, one a line."""
    longest = max(map(len, commands))
    listed = "\n".join(
        f"  {key:<{longest}}  {_short(summary(function), WIDTH - longest - 4)}" for key, function in commands.items()
    )
    end = f"{name} COMMAND --help shows the options of a command, {name} --version the version."
    return f"usage: {name} COMMAND ...\n\n{description}\n\ncommands:\n{listed}\n\n{textwrap.fill(end, WIDTH)}"


def _short(sentence: str, width: int) -> str:
    """As much of a sentence as fits: all of it, or what stands before a colon, semicolon or comma, or what fits."""
    parts = [sentence, *(sentence[: found.start()] for found in reversed([*re.finditer(r"[;:,] ", sentence)]))]
    return next((part for part in parts if len(part) <= width), textwrap.shorten(sentence, width, placeholder=" …"))


def _reason(name: str, words: Sequence[str], error: Exception) -> str | None:
    """What a person can do about an error, in one line; None where it is the program's own."""
    if isinstance(error, ModuleNotFoundError) and not isinstance(error, MissingExtraError):
        extra = advice(name, error.name or "")
        return f"{words[0]} needs {error.name}; pip install '{extra}'" if extra else None
    return " ".join(str(error).split())


def _is_memory(error: Exception) -> bool:
    """Whether memory ran out: PyTorch says so in words on the CPU, and in a class of its own on a GPU."""
    return isinstance(error, MemoryError) or any(part in str(error) for part in ("allocate memory", "out of memory"))


def _refuse(name: str, reason: str) -> NoReturn:
    """Say what a person did wrong as one line on standard error, and leave with exit code 2."""
    print(f"{name}: error: {reason}", file=sys.stderr)  # noqa: T201
    raise SystemExit(BAD_INPUT) from None


def _leave_unread() -> NoReturn:
    """Leave without a word, with the exit code of a program whose output nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(UNREAD) from None
