"""What an extra would bring is asked for in one line."""

import sys
from pathlib import Path

import pytest

from separata import Paper, cli
from separata.extras import MissingExtraError, advice, require

METADATA = """Metadata-Version: 2.1
Name: hello-extras
Version: 1.0
Requires-Dist: torch>=2
Requires-Dist: No_Such.Thing>=1; extra == "all"
Requires-Dist: no-such-thing>=1; python_version >= "3.8" and extra == "graphs"
Requires-Dist: nowhere>=1 ; extra == 'all'
"""


@pytest.fixture
def hello(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paper:
    folder = tmp_path / "hello_extras-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Paper("hello-extras", "P", 2000, ())


def imports(module: str):
    """A command that imports a module."""

    def draw() -> None:
        """Draw."""
        __import__(module)

    return draw


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("no_such_thing", "draw needs no_such_thing; pip install 'hello-extras[graphs]'"),
        ("no_such_thing.deep.below", "draw needs no_such_thing; pip install 'hello-extras[graphs]'"),
        ("nowhere", "draw needs nowhere; pip install 'hello-extras[all]'"),
    ],
)
def test_a_module_that_an_extra_brings_is_asked_for_in_one_line(hello, capsys, module, told):
    with pytest.raises(SystemExit) as end:
        cli.main(hello, [imports(module)], ["draw"])
    assert (end.value.code, *capsys.readouterr()) == (2, "", f"hello-extras: error: {told}\n")


def test_a_module_that_no_extra_brings_is_the_program_s_own_error(hello):
    with pytest.raises(ModuleNotFoundError, match="not_ours"):
        cli.main(hello, [imports("not_ours")], ["draw"])


def test_what_is_required_is_looked_for_before_anything_is_done(hello, capsys):
    def write(*, out: Path) -> None:
        """Write."""
        require("json", "no_such_thing", extra="hello-extras[graphs]")
        out.write_text("")

    with pytest.raises(SystemExit) as end:
        cli.main(hello, [write], ["write", "--out", "never"])
    told = "hello-extras: error: this needs no_such_thing; pip install 'hello-extras[graphs]'\n"
    assert (end.value.code, *capsys.readouterr()) == (2, "", told)
    assert not Path("never").exists()


def test_what_is_there_is_not_asked_for_and_not_imported():
    sys.modules.pop("wave", None)
    require("wave", extra="x[y]")
    assert "wave" not in sys.modules
    with pytest.raises(MissingExtraError, match=r"needs none_a and none_b; pip install 'x\[y\]'") as error:
        require("none_a", "wave", "none_b", extra="x[y]")
    assert error.value.name == "none_a"


def test_a_module_that_was_blocked_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "wave", None)
    with pytest.raises(MissingExtraError, match="needs wave;"):
        require("wave", extra="x[y]")


def test_nothing_is_known_of_a_distribution_that_is_not_installed():
    assert advice("not-installed-anywhere", "torch") is None
