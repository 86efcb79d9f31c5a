"""Every package's command answers, and tells in one line what was wrong with a question, as after a plain install."""

import importlib
import json

import pytest

from house import Package, run
from parallel import once
from plain_install import ask

QUESTIONS = ["--help", "reproduce --help", "claims --help", "--version", "claims", "claims --json", "cite"]
BAD = [
    "no-such-command",
    "reproduce --no-such-option",
    "reproduce --preset nope",
    "reproduce --preset smoke --only no-such-claim",
    "reproduce --preset smoke --seeds 0",
    "reproduce --preset smoke --seeds three",
    "reproduce --preset smoke --out a-file/out",
]


@pytest.fixture(scope="session")
def answers(package: Package, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the command answers to each question, all asked of one process; `""` is what importing it has loaded."""

    def make() -> dict:
        folders = [tmp_path_factory.mktemp(package.name) for _ in [*QUESTIONS, *BAD]]
        for folder in folders:
            # A folder inside a file can be made by nobody, not even by root.
            (folder / "a-file").write_text("no folder")
        calls = [(question.split(), folder) for question, folder in zip([*QUESTIONS, *BAD], folders, strict=True)]
        return dict(zip(["", *QUESTIONS, *BAD], ask(package, calls), strict=True))

    return once(request.config, f"answers of {package}", make)


def test_importing_is_lazy(package: Package, answers):
    assert answers[""] == {"package": [], "paper": []}, "what is slow to import is imported when it is first used"
    assert "lazy_loader" in (package.source / "__init__.py").read_text(encoding="utf-8")


def test_the_command_is_installed(package: Package, answers, tmp_path):
    done = run(package.name, "--help", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out == answers["--help"]["out"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_common_commands_answer(answers, question: str):
    answer = answers[question]
    assert (answer["code"], answer["err"]) == (0, "")
    assert answer["out"].strip()
    assert answer["left"] == ["a-file"]


def test_version_is_the_package_s(package: Package, answers):
    assert package.pyproject["project"]["version"] in answers["--version"]["out"].split()


def test_claims_are_the_paper_s(package: Package, answers):
    claims = json.loads(answers["claims --json"]["out"])["claims"]
    paper = importlib.import_module(f"{package.module}.paper").PAPER
    assert [claim["id"] for claim in claims] == [claim.id for claim in paper.claims]


@pytest.mark.parametrize("question", BAD)
def test_bad_input_costs_one_line(answers, question: str):
    answer = answers[question]
    assert (answer["code"], answer["out"]) == (2, ""), answer["err"]
    assert len(answer["err"].splitlines()) == 1, answer["err"]
    assert answer["left"] == ["a-file"], "nothing may be left behind"
