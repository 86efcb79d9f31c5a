"""`separata new`: the example package under another name works, and says what is left to write."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from separata import app, cli, evidence
from separata import new as frames

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / frames.EXAMPLE


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree with the example and one package, in which commands are given."""
    shutil.copytree(EXAMPLE, tmp_path / frames.EXAMPLE, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "packages/taken/src/taken_module").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def separata(monkeypatch):
    """Run the command line of all papers."""

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["separata", *arguments])
        app.main()

    return run


def texts(folder: Path) -> dict[str, str]:
    """The text of each file in a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def paper_of(folder: Path, module: str):
    """The paper of the package in a folder."""
    scope: dict = {}
    exec((folder / f"src/{module}/paper.py").read_text(), scope)
    return scope["PAPER"]


def lines_of(found: dict[str, str]) -> list[str]:
    return [line for text in found.values() for line in text.splitlines()]


def test_the_package_has_its_own_name_everywhere(tree, separata, capsys):
    separata("new", "hello-paper", "--title", "Hello, paper", "--year", "2024", "--arxiv", "2402.11984")
    assert capsys.readouterr().out.startswith("packages/hello-paper\n\nNext:\n  pip install")
    found = texts(tree / "packages/hello-paper")
    renamed = {name.replace("oja_rule", "hello_paper") for name in texts(EXAMPLE) if "__pycache__" not in name}
    assert found.keys() == renamed
    assert not [line for line in lines_of(found) if "oja_rule" in line or "oja-rule" in line]
    project = tomllib.loads(found["pyproject.toml"])["project"]
    assert project["name"] == "hello-paper"
    assert project["scripts"] == {"hello-paper": "hello_paper.cli:main"}
    assert project["entry-points"]["separata.papers"] == {"hello-paper": "hello_paper.paper:PAPER"}
    assert "*Hello, paper* (2024)" in found["README.md"]
    assert sorted(path.name for path in (tree / "packages").iterdir()) == ["hello-paper", "taken"]


def test_the_paper_is_the_one_given(tree, separata):
    separata("new", "hello-paper", "--title", "Hello, paper", "--year", "2024", "--arxiv", "2402.11984")
    paper = paper_of(tree / "packages/hello-paper", "hello_paper")
    assert (paper.name, paper.title, paper.year, paper.package) == ("hello-paper", "Hello, paper", 2024, "hello_paper")
    assert paper.url == "https://arxiv.org/abs/2402.11984"


def test_what_is_not_given_is_left_to_write(tree, separata):
    separata("new", "hello-paper")
    text = texts(tree / "packages/hello-paper")["src/hello_paper/paper.py"]
    left = [line.split("=")[0].strip() for line in text.splitlines() if line.endswith(f",  # {frames.LEFT}")]
    assert left == ["title", "year", "authors", "venue", "arxiv"]


def test_each_file_that_an_author_writes_says_so(tree, separata):
    separata("new", "hello-paper")
    found = texts(tree / "packages/hello-paper")
    silent = {"CHANGELOG.md", "src/hello_paper/__init__.pyi", "src/hello_paper/py.typed", "tests/test_cli.py"}
    assert {name for name, text in found.items() if frames.LEFT not in text} == silent


@pytest.mark.parametrize(
    "title",
    [
        'A "quoted" title',
        "An author's title",
        """Both "one" and 'the other'""",
        "A back\\slash, {braces} and % of über-long words: 学习",
        "word " * 50 + "end",
        f"{'x' * 99} y{'z' * 120}",
    ],
)
def test_a_title_is_written_as_it_is(tree, separata, title):
    separata("new", "hello-paper", "--title", title)
    folder = tree / "packages/hello-paper"
    assert paper_of(folder, "hello_paper").title == title
    assert all(len(line) <= 120 for line in (folder / "src/hello_paper/paper.py").read_text().splitlines())


def test_a_name_that_python_cannot_import_needs_a_module(tree, separata):
    separata("new", "4d-paper", "--module", "paper4d")
    folder = tree / "packages/4d-paper"
    assert paper_of(folder, "paper4d").package == "paper4d"
    assert tomllib.loads((folder / "pyproject.toml").read_text())["project"]["scripts"] == {
        "4d-paper": "paper4d.cli:main"
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Hello"], "lower-case letters, digits and single hyphens, not 'Hello'"),
        (["hello_paper"], "not 'hello_paper'"),
        (["hello--paper"], "not 'hello--paper'"),
        (["-hello"], "NAME must be given"),
        (["../hello"], "not '../hello'"),
        (["3d-fixer"], "cannot import '3d_fixer'; give another name with --module"),
        (["lambda"], "cannot import 'lambda'"),
        (["statistics"], "another package is imported as 'statistics'"),
        (["torch"], "another package is imported as 'torch'"),
        (["separata"], "another package is imported as 'separata'"),
        (["taken"], "there is packages/taken already"),
        (["taken-module"], "there is packages/taken/src/taken_module already"),
        (["hello", "--year", "soon"], "--year must be a whole number"),
        (["hello", "--arxiv", 'x", evil="'], "an arXiv number looks like"),
        (["hello", "--root", "packages"], "is no Separata source tree"),
        ([], "NAME must be given"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(tree, separata, capsys, words, message):
    before = texts(tree)
    with pytest.raises(SystemExit) as end:
        separata("new", *words)
    told = capsys.readouterr().err
    assert (end.value.code, told.count("\n"), message in told) == (2, 1, True), told
    assert texts(tree) == before


def test_an_example_that_has_changed_leaves_nothing_half_written(tree, separata, capsys):
    paper = tree / frames.EXAMPLE / "src/oja_rule/paper.py"
    paper.write_text(paper.read_text().replace("year=1982,", "year = 1982,"))
    with pytest.raises(SystemExit):
        separata("new", "hello-paper")
    assert "'year=1982,' 0 times, where once is expected" in capsys.readouterr().err
    assert [path.name for path in (tree / "packages").iterdir()] == ["taken"]


@pytest.fixture
def hello(tree, separata, monkeypatch) -> Path:
    """A new package that Python finds as if it were installed; its folder."""
    separata("new", "hello-new-paper", "--title", "Hello", "--year", "2024")
    folder = tree / "packages/hello-new-paper"
    metadata = folder / "src/hello_new_paper-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hello-new-paper\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text("[separata.papers]\nhello-new-paper = hello_new_paper.paper:PAPER\n")
    monkeypatch.syspath_prepend(str(folder / "src"))
    yield folder
    for name in [name for name in sys.modules if name.startswith("hello_new_paper")]:
        del sys.modules[name]


def test_the_frame_measures_its_claims(hello, capsys):
    paper = importlib.import_module("hello_new_paper.paper").PAPER
    cli.main(paper, [], ["reproduce", "--preset", "smoke", "--out", "out", "--json"])
    found = evidence.load(Path("out/smoke.json"))
    evidence.check(found, paper)
    assert json.loads(capsys.readouterr().out) == found.to_json()
    assert [finding.verdict for finding in found.claims] == ["holds", "holds"]
    assert all((Path("out") / name).is_file() for finding in found.claims for name in finding.figures)


def test_the_frame_s_own_tests_pass(hello):
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    env = {**os.environ, "PYTHONPATH": str(hello / "src"), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(program, cwd=hello, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)


def finish(folder: Path) -> None:
    """Delete the marks, as an author who has written what they ask for."""
    for path in folder.rglob("*"):
        if path.is_file() and frames.LEFT in (text := path.read_text()):
            text = re.sub(rf"^(# |<!-- ){frames.LEFT}.*\n(# .*\n)*", "", text, flags=re.MULTILINE)
            path.write_text(re.sub(rf" *# {frames.LEFT}.*", "", text))


def pretend_to_install(folder: Path, place: Path) -> dict[str, str]:
    """Metadata and a command as an installation of the package would make them; the environment that finds them."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    name, module = project["name"], project["name"].replace("-", "_")
    metadata = place / f"{module}-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    needed = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n{needed}")
    (metadata / "entry_points.txt").write_text(f"[separata.papers]\n{name} = {module}.paper:PAPER\n")
    command = place / name
    command.write_text(f"#!{sys.executable}\nfrom {module} import cli\ncli.main()\n")
    command.chmod(0o755)
    paths = {"PYTHONPATH": f"{folder / 'src'}{os.pathsep}{place}", "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}
    return {**os.environ, **paths, "PYTEST_ADDOPTS": ""}


@pytest.mark.slow
def test_the_frame_passes_the_gates(tmp_path, separata):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git clone")
    tree = tmp_path / "tree"
    for name in filter(None, listed.stdout.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, tree / name)
    separata("new", "hello-gates", "--title", "Hello", "--year", "2024", "--arxiv", "2402.11984", "--root", str(tree))
    folder = tree / "packages/hello-gates"
    finish(folder)
    env = pretend_to_install(folder, tmp_path / "site")

    def run(*words: str) -> None:
        done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    run("hello-gates", "reproduce", "--preset", "quick", "--out", str(folder / "results"))
    run(sys.executable, "-c", "from separata import app; app.main()", "readme")
    gates = ["--package", "hello-gates", "packages/hello-gates", "tests/conformance"]
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *gates)
