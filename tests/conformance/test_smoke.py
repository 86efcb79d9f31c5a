"""Every package's claims are measured at the preset `smoke`, as its README says and as after a plain install."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from house import Package
from parallel import once
from plain_install import ask
from readmes import reproductions

SCHEMA = json.loads(Path(__file__).with_name("evidence.schema.json").read_text(encoding="utf-8"))
LONGEST = 20
"""Core-seconds."""


@dataclass(frozen=True)
class Smoke:
    """The README's own calls of `reproduce`, and one for what they leave out, in one folder."""

    of_readme: list[dict[str, Any]]
    last: dict[str, Any]
    out: Path


@pytest.fixture(scope="session")
def smoke(package: Package, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    def make() -> Any:
        folder = tmp_path_factory.mktemp(package.name)
        out = folder / "separata-runs" / package.name
        rest = ["reproduce", "--preset", "smoke", "--out", str(out), "--resume", "--json"]
        calls = [(words, folder) for words in [*reproductions(package), rest]]
        _, *answers = ask(package, calls, {"SEPARATA_PRESET": "smoke"})
        return answers, str(out)

    (*of_readme, last), out = once(request.config, f"smoke of {package}", make)
    return Smoke(of_readme, last, Path(out))


def test_what_the_readme_reproduces(package: Package, smoke: Smoke):
    assert smoke.of_readme, "the README shows how the claims are reproduced"
    for words, answer in zip(reproductions(package), smoke.of_readme, strict=True):
        assert answer["code"] == 0, f"{words}\n{answer['out']}\n{answer['err']}"


def test_smoke_ends_in_time(smoke: Smoke):
    assert smoke.last["code"] == 0, smoke.last["err"]
    assert sum(answer["seconds"] for answer in [*smoke.of_readme, smoke.last]) <= LONGEST


def test_smoke_prints_and_writes_the_same_evidence(package: Package, smoke: Smoke):
    assert smoke.last["code"] == 0, smoke.last["err"]
    printed = json.loads(smoke.last["out"])
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
