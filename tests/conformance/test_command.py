"""Every package's command answers, and tells in one line what was wrong with a question."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

from house import Done, Package, run

SCHEMA = json.loads(Path(__file__).with_name("evidence.schema.json").read_text(encoding="utf-8"))
LONGEST_SMOKE = 60


@dataclass(frozen=True)
class Smoke:
    """A finished `reproduce --preset smoke`."""

    done: Done
    out: Path


@pytest.fixture(scope="session")
def smoke(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    out = tmp_path_factory.mktemp(package.name) / "out"
    return Smoke(run(package.name, "reproduce", "--preset", "smoke", "--out", out, "--json", cwd=out.parent), out)


@pytest.mark.parametrize(
    "arguments", ["--help", "reproduce --help", "claims --help", "--version", "claims", "claims --json", "cite"]
)
def test_the_common_commands_answer(package: Package, arguments: str, tmp_path: Path):
    done = run(package.name, *arguments.split(), cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.strip()
    assert not any(tmp_path.iterdir())


def test_version_is_the_package_s(package: Package, tmp_path: Path):
    assert package.pyproject["project"]["version"] in run(package.name, "--version", cwd=tmp_path).out.split()


def test_claims_are_the_paper_s(package: Package, tmp_path: Path):
    from importlib import import_module

    claims = json.loads(run(package.name, "claims", "--json", cwd=tmp_path).out)["claims"]
    paper = import_module(f"{package.module}.paper").PAPER
    assert [claim["id"] for claim in claims] == [claim.id for claim in paper.claims]


@pytest.mark.parametrize(
    "arguments",
    [
        "no-such-command",
        "reproduce --no-such-option",
        "reproduce --preset nope",
        "reproduce --preset smoke --only no-such-claim",
        "reproduce --preset smoke --seeds 0",
        "reproduce --preset smoke --seeds three",
        "reproduce --preset smoke --out a-file/out",
    ],
)
def test_bad_input_costs_one_line(package: Package, arguments: str, tmp_path: Path):
    # A folder inside a file can be made by nobody, not even by root.
    (tmp_path / "a-file").write_text("no folder")
    done = run(package.name, *arguments.split(), cwd=tmp_path)
    assert (done.code, done.out) == (2, ""), done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"], "nothing may be left behind"


def test_smoke_ends_in_time(smoke: Smoke):
    assert smoke.done.code == 0, smoke.done.err
    assert smoke.done.seconds <= LONGEST_SMOKE


def test_smoke_prints_and_writes_the_same_evidence(package: Package, smoke: Smoke):
    assert smoke.done.code == 0, smoke.done.err
    printed = json.loads(smoke.done.out)
    jsonschema.validate(printed, SCHEMA)
    assert printed == json.loads((smoke.out / "smoke.json").read_text(encoding="utf-8"))
    assert (printed["paper"], printed["preset"]) == (package.name, "smoke")


def test_smoke_writes_reports(smoke: Smoke):
    claims = json.loads((smoke.out / "smoke.json").read_text(encoding="utf-8"))["claims"]
    markdown = (smoke.out / "smoke.md").read_text(encoding="utf-8")
    page = (smoke.out / "smoke.html").read_text(encoding="utf-8")
    assert all(claim["id"] in markdown and claim["id"] in page for claim in claims)
    assert not [name for claim in claims for name in claim["figures"] if not (smoke.out / name).is_file()]
    assert not re.search(r"""(src|srcset|data)=["'](?!data:)|<link\b|@import""", page), "the page needs another file"
