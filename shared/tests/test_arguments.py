"""Typed functions as command lines: what is parsed, and what a person reads."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from separata.arguments import COLOUR, Option, call, nearest, summary


@dataclass(frozen=True)
class Options:
    """How it is done.

    Args:
        rate: Learning rate.
        keep: Keep what was there.
        points: Points to look at.
    """

    rate: float = 0.1
    keep: bool = True
    points: tuple[int, ...] = ()
    limit: int | None = None
    """Most that may be spent."""


def work(
    source: Path,
    others: tuple[Path, ...] = (),
    /,
    *,
    out: Path,
    n_steps: int | None = None,
    rates: tuple[float, ...] = (),
    size: tuple[int, int] = (28, 28),
    label: str = "",
    kind: Literal["a", "b"] = "a",
    only: Annotated[tuple[str, ...], Option("CLAIM ...", "Only these.")] = (),
    share: bool = True,
    fast: bool = False,
    options: Options = Options(),
    seed: int = 0,
) -> None:
    """Work on files, and write what comes out of it to a place that has a long description.

    The second paragraph says more.

    Args:
        source: Where it comes from.
        others: More of it.
        out: Where it goes.
        n_steps: Number of steps; all if not given.
        rates: Rates to try.
        size: Height and width.
        label: Label to write.
        kind: Kind of work.
        share: Share weights among the joints.
        fast: Work fast.
        options: How it is done.
        seed: Seed of it all.
    """


def parsed(*words: str) -> tuple[tuple, dict]:
    made = call("tool work", work, words)
    return made.args, made.keywords


@pytest.fixture
def page(capsys) -> str:
    """The help of the command."""
    with pytest.raises(SystemExit) as end:
        call("tool work", work, ["--help"])
    assert not end.value.code
    return capsys.readouterr().out


def described(page: str, option: str) -> str:
    """What the help says of an option, in one line; its names and what stands for the value come first."""
    rows = [row.strip("│ ") for row in page.splitlines()]
    rest = itertools.dropwhile(lambda row: not row.startswith(option), rows)
    first = next(rest)
    more = itertools.takewhile(lambda row: not row.startswith(("-", "╰", "SOURCE", "[")), rest)
    return " ".join(" ".join([first, *more]).split())


def test_words_become_arguments():
    args, named = parsed(
        "in", "x", "y", "--out", "o", "--n-steps", "3", "--rates", "0.5", "1", "--rate", "2", "--no-keep"
    )
    assert args == (Path("in"), (Path("x"), Path("y")))
    assert named["options"] == Options(rate=2.0, keep=False)
    assert (named["out"], named["n_steps"], named["rates"]) == (Path("o"), 3, (0.5, 1.0))
    assert isinstance(named["options"].rate, float)


def test_what_is_not_given_has_its_default():
    args, named = parsed("in", "--out", "o")
    assert args == (Path("in"), ())
    assert named == {
        "out": Path("o"),
        "n_steps": None,
        "rates": (),
        "size": (28, 28),
        "label": "",
        "kind": "a",
        "only": (),
        "share": True,
        "fast": False,
        "options": Options(),
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seed", "-3"], {"seed": -3}),
        (["--seed=7"], {"seed": 7}),
        (["--n_steps", "2"], {"n_steps": 2}),
        (["--size", "3", "4"], {"size": (3, 4)}),
        (["--share"], {"share": True}),
        (["--no-share", "--fast"], {"share": False, "fast": True}),
        (["--only", "a", "b"], {"only": ("a", "b")}),
        (["--label", "-"], {"label": "-"}),
    ],
)
def test_ways_to_write_an_option(words, expected):
    named = parsed("in", "--out", "o", *words)[1]
    assert {name: named[name] for name in expected} == expected


@pytest.mark.parametrize("strange", ["None", "default: )", "(default: )", "[[", "STR", "{True"])
def test_the_help_has_nothing_that_only_a_program_says(page, strange):
    assert strange not in page


def test_the_help_says_what_stands_for_each_value(page):
    assert page.startswith("usage: tool work [-h] [OPTIONS] SOURCE [OTHERS ...]\n")
    for option, shown in {
        "SOURCE": "SOURCE Where it comes from. (required)",
        "[OTHERS": "[OTHERS ...] More of it.",
        "--out": "--out PATH Where it goes. (required)",
        "--n-steps": "--n-steps N Number of steps; all if not given.",
        "--rates": "--rates X ... Rates to try.",
        "--size": "--size N N Height and width. (default: 28 28)",
        "--label": "--label TEXT Label to write.",
        "--kind": "--kind {a,b} Kind of work. (default: a)",
        "--only": "--only CLAIM ... Only these.",
        "--share": "--share, --no-share Share weights among the joints. (default: yes)",
        "--fast": "--fast Work fast.",
        "--seed": "--seed N Seed of it all. (default: 0)",
        "--rate ": "--rate X Learning rate. (default: 0.1)",
        "--keep": "--keep, --no-keep Keep what was there. (default: yes)",
        "--points": "--points N ... Points to look at.",
        "--limit": "--limit N Most that may be spent.",
    }.items():
        assert described(page, option) == shown


def test_the_help_fits_80_columns_and_has_no_empty_rows(page):
    lines = page.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.startswith("│") and not line.strip("│ ")]
    assert "\n\nThe second paragraph says more.\n\n" in page
    assert "Args:" not in page


def test_a_long_usage_is_wrapped(capsys):
    def count(text: Path, /, *, longest: int | None = None, sort: bool = True, shout: bool = False) -> None:
        """Count words."""

    with pytest.raises(SystemExit):
        call("a-tool-with-a-long-name count", count, ["--help"])
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert (len(lines), max(map(len, lines)) <= 80) == (2, True)
    assert " ".join(line.strip() for line in lines) == (
        "usage: a-tool-with-a-long-name count [-h] TEXT [--longest N] [--sort | --no-sort] [--shout]"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in"], "--out must be given; see tool work --help"),
        (["--out", "o"], "SOURCE must be given; see tool work --help"),
        (["in", "--out"], "--out needs a value; see tool work --help"),
        (["in", "--out", "o", "--seed", "x"], "--seed must be a whole number, not 'x'; see tool work --help"),
        (["in", "--out", "o", "--seed", "1.5"], "--seed must be a whole number, not '1.5'; see tool work --help"),
        (["in", "--out", "o", "--n-steps", "x"], "--n-steps must be a whole number, not 'x'; see tool work --help"),
        (["in", "--out", "o", "--rate", "x"], "--rate must be a number, not 'x'; see tool work --help"),
        (["in", "--out", "o", "--rates", "x"], "--rates cannot be 'x'; see tool work --help"),
        (["in", "--out", "o", "--rtae", "1"], "there is no option --rtae; did you mean --rate?"),
        (["in", "--out", "o", "--no-fast"], "there is no option --no-fast; did you mean --fast?"),
        (["in", "--out", "o", "--weather"], "there is no option --weather; see tool work --help"),
        (["in", "--out", "o", "-q"], "there is no option -q; see tool work --help"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(words, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call("tool work", work, words)


def test_an_unknown_choice_is_answered_with_those_known():
    with pytest.raises(ValueError, match="^--kind must be one of a, b, not 'c'; see tool work --help$"):
        call("tool work", work, ["in", "--out", "o", "--kind", "c"])


@dataclass(frozen=True)
class Needy:
    """What cannot be without a number."""

    n: int
    is_kept: bool = False


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], Needy(3, is_kept=True)), (["--n", "4"], Needy(4, is_kept=True)), (["--no-is-kept"], Needy(3))],
)
def test_a_dataclass_has_the_values_of_its_default(words, expected):
    def count(needy: Needy = Needy(3, is_kept=True)) -> None:
        """Count."""

    assert call("tool", count, words).keywords == {"needy": expected}


def test_a_dataclass_without_a_default_must_be_given():
    def count(needy: Needy) -> None:
        """Count."""

    with pytest.raises(ValueError, match="^--n must be given"):
        call("tool", count, [])
    assert call("tool", count, ["--n", "1"]).keywords == {"needy": Needy(1)}


@dataclass(frozen=True)
class Steps:
    """How long it takes.

    Args:
        n_steps: Steps in all.
        reduction: How they are summed up.
    """

    n_steps: int = 3
    reduction: Literal["mean", "median", "largest", "smallest"] = "mean"
    fallback: Literal["the-same-again", "nothing-at-all"] | None = None
    """What is done instead."""

    def __post_init__(self):
        if self.n_steps < 1:
            raise ValueError(f"the steps must be at least 1, not {self.n_steps}")


@dataclass(frozen=True)
class Whole:
    """All of it.

    Args:
        steps: How long it takes.
        n: Number.
    """

    steps: Steps = Steps()
    n: int = 1


def test_what_a_dataclass_refuses_is_said_without_its_name():
    def count(config: Whole = Whole()) -> None:
        """Count."""

    with pytest.raises(ValueError, match="^the steps must be at least 1, not 0; see tool --help$"):
        call("tool", count, ["--n-steps", "0"])


@pytest.mark.parametrize("is_terminal", [False, True])
def test_the_help_of_dataclasses_inside_others(capsys, monkeypatch, is_terminal):
    def count(config: Whole = Whole()) -> None:
        """Count."""

    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    with pytest.raises(SystemExit):
        call("tool", count, ["--help"])
    page = capsys.readouterr().out
    assert ("\x1b" in page) == is_terminal
    page = COLOUR.sub("", page)
    assert [row.strip("╭─╮ ") for row in page.splitlines() if row.startswith("╭")] == [
        *("options", "config options", "steps options")
    ]
    assert {len(row) for row in page.splitlines() if row.startswith("╭")} == {80}
    assert "--n-steps N " in page
    assert described(page, "--reduction") == (
        "--reduction NAME How they are summed up. (mean, median, largest, smallest; default: mean)"
    )
    assert described(page, "--fallback") == ("--fallback NAME What is done instead. (the-same-again, nothing-at-all)")


def test_a_command_without_arguments_is_called():
    assert call("tool", lambda: 7, [])() == 7
    with pytest.raises(ValueError, match="there is no place for x; see tool --help"):
        call("tool", lambda: 7, ["x"])
    with pytest.raises(ValueError, match="no option --json"):
        call("tool", lambda: 7, ["--json"])


def test_the_first_sentence_of_a_docstring_sums_it_up():
    assert summary(work) == "Work on files, and write what comes out of it to a place that has a long description"
    assert summary(lambda: None) == ""


def test_only_what_is_near_is_suggested():
    assert nearest("reprodcue", ["train", "reproduce"]) == "; did you mean reproduce?"
    assert nearest("swim", ["train", "reproduce"]) == ""
    assert nearest("--batch", ["--batch-size", "--beta-lr"]) == "; did you mean --batch-size?"
    assert nearest("--be", ["--beta-lr", "--beta-cap"]) == ""
