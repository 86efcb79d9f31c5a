"""`.github/packages.py`: for which packages a workflow runs a job."""

import json

import pytest

from house import PACKAGES, ROOT, python, script

SCRIPT = script("packages")


def test_all_or_those_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    known = [package.name for package in PACKAGES]
    assert SCRIPT.names([]) == known
    assert SCRIPT.names(known[:1]) == known[:1]


def test_as_a_script():
    done = python(ROOT / ".github" / "packages.py", PACKAGES[0].name)
    assert json.loads(done.out) == [PACKAGES[0].name]
    done = python(ROOT / ".github" / "packages.py", PACKAGES[0].name, "no-such", "nor-this")
    assert (done.code, done.out, done.err) == (1, "", "packages: there is no package no-such or nor-this\n")
