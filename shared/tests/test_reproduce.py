"""Measuring, being killed, and going on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from separata import evidence
from separata.progress import Reporter
from separata.reproduce import Plan, reproduce
from separata.run import Compute


def counts(tmp_path: Path) -> dict[str, int]:
    return {path.name: len(path.read_text()) for path in (tmp_path / "counts").iterdir()}


def numbers(found: evidence.Evidence) -> list:
    return [(finding.id, finding.measured, finding.verdict, finding.support) for finding in found.claims]


def test_claims_are_measured_and_judged(oja, tmp_path):
    found = reproduce(oja, Plan("quick", tmp_path / "out"))
    verdicts = {finding.id: (finding.verdict, finding.support) for finding in found.claims}
    assert verdicts == {
        "first-component": ("holds", (3, 3)),
        "bounded": ("holds", (3, 3)),
        "fast": ("not measured", (0, 0)),
    }
    assert found.claims[0].figures == ("quick/alignment.svg",)
    assert found.captions == {"quick/alignment.svg": "The weight turns to the leading eigenvector."}
    assert found.claims[2].note == "There is no squid here."
    assert found.hardware["torch"]
    evidence.check(evidence.load(tmp_path / "out/quick.json"), oja)


def test_reports_are_written(oja, tmp_path):
    reproduce(oja, Plan("smoke", tmp_path / "out"))
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"smoke.json", "smoke.md", "smoke.html", "smoke/alignment.svg", "smoke/leading-direction.csv"} <= written
    assert not [name for name in written if "part" in name]


def test_smoke_has_one_seed_and_the_others_three_unless_told(tmp_path):
    assert Plan("smoke", tmp_path).seed_list == (0,)
    assert Plan("quick", tmp_path).seed_list == (0, 1, 2)
    assert Plan("quick", tmp_path, seeds=5).seed_list == (0, 1, 2, 3, 4)
    assert Plan("quick", tmp_path, first_seed=100).seed_list == (100, 101, 102)


@pytest.mark.parametrize(
    ("plan", "message"),
    ids=("preset", "seeds", "first seed"),
    argvalues=[
        ({"preset": "huge"}, "one of smoke, quick, gpu, paper, not 'huge'"),
        ({"preset": "quick", "seeds": 0}, "at least 1, not 0"),
        ({"preset": "quick", "first_seed": -1}, "at least 0, not -1"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, plan, message):
    with pytest.raises(ValueError, match=message):
        Plan(out=tmp_path, **plan)


def test_seeds_may_begin_elsewhere(oja, tmp_path):
    found = reproduce(oja, Plan("quick", tmp_path, seeds=2, first_seed=100))
    assert found.seeds == (100, 101)
    assert found.claims[1].measured["hebb"]["values"] == [120.0, 121.0]
    assert set(counts(tmp_path)) == {"leading", "norms", "norm-100-0.001", "norm-101-0.001"}


def test_a_claim_that_is_not_measured_at_a_preset_says_why(oja, tmp_path):
    found = reproduce(oja, Plan("gpu", tmp_path, seeds=1))
    assert [finding.verdict for finding in found.claims] == ["holds", "not measured", "not measured"]
    assert found.claims[1].note == "It wants no GPU."
    assert "norms" not in counts(tmp_path)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_experiment_computes_on_as_many_threads_as_asked(oja, tmp_path, monkeypatch, threads):
    import oja_rule.experiments as module

    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(module, "counted", lambda name: seen.append(torch.get_num_threads()))
    reproduce(oja, Plan("smoke", tmp_path, compute=Compute(threads=threads)))
    assert set(seen) == {threads}
    assert torch.get_num_threads() == before


def test_a_part_of_the_claims_does_not_overwrite_the_report_on_all(oja, tmp_path):
    reproduce(oja, Plan("smoke", tmp_path))
    whole = (tmp_path / "smoke.json").read_text()
    part = reproduce(oja, Plan("smoke", tmp_path, only=("bounded",)))
    assert [finding.verdict for finding in part.claims] == ["not measured", "holds", "not measured"]
    assert (tmp_path / "smoke.json").read_text() == whole
    assert (tmp_path / "smoke-bounded.json").is_file()


def run_in_process(site: Path, out: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    code = "import sys; from oja_rule.cli import main; sys.argv[0] = 'oja-rule'; main()"
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", code, "reproduce", "--preset", "quick", "--out", str(out), "--json", *arguments]
    return subprocess.run(command, env=os.environ | environment | {"PYTHONPATH": path}, capture_output=True, text=True)


def test_killed_and_resumed_it_repeats_nothing_and_ends_with_the_same_numbers(oja, oja_site, tmp_path, capsys):
    killed = run_in_process(oja_site, tmp_path / "out", OJA_KILL="1")
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out/quick.json").exists()
    assert counts(tmp_path) == {"leading": 1, "norms": 1, "norm-0-0.001": 1, "norm-1-0.001": 1}
    resumed = reproduce(oja, Plan("quick", tmp_path / "out", resume=True), Reporter())
    assert "already measured" in capsys.readouterr().err
    # the finished experiment, and what the killed one had finished, were not done again
    assert counts(tmp_path) == {"leading": 1, "norms": 2, "norm-0-0.001": 1, "norm-1-0.001": 1, "norm-2-0.001": 1}
    undisturbed = reproduce(oja, Plan("quick", tmp_path / "other"))
    assert numbers(resumed) == numbers(undisturbed)


def test_without_resume_all_is_measured_again(oja, tmp_path):
    for _ in range(2):
        reproduce(oja, Plan("smoke", tmp_path / "out"))
    assert counts(tmp_path) == {"leading": 2, "norms": 2, "norm-0-0.001": 2}


def test_a_run_with_other_seeds_is_not_gone_on_with(oja, tmp_path):
    reproduce(oja, Plan("quick", tmp_path / "out", seeds=1))
    found = reproduce(oja, Plan("quick", tmp_path / "out", seeds=2, resume=True))
    assert found.claims[1].support == (2, 2)
    assert counts(tmp_path)["leading"] == 2


def test_ctrl_c_says_where_it_was_and_how_to_go_on(oja, tmp_path, monkeypatch, capsys):
    import oja_rule.experiments as module

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "final_norm", interrupted)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/oja-rule", "reproduce"])
    with pytest.raises(KeyboardInterrupt):
        reproduce(oja, Plan("smoke", tmp_path / "out"), Reporter())
    told = capsys.readouterr().err
    assert "Stopped in norms, 1 of 2 finished. Go on with: oja-rule reproduce --resume" in told


def test_several_processes_share_the_work_and_measure_the_same(oja, oja_site, tmp_path):
    code = f"""
import sys, torch
sys.path.insert(0, {str(oja_site)!r})
from oja_rule.cli import main
main()
"""
    script = tmp_path / "oja-rule"
    script.write_text(code)
    command = [sys.executable, str(script), "reproduce", "--preset", "quick", "--device", "cpu", "--devices", "2"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "two"), "--json"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert numbers(evidence.from_json(json.loads(done.stdout))) == numbers(
        reproduce(oja, Plan("quick", tmp_path / "one"))
    )


def test_a_number_that_is_not_finite_is_reported_as_unknown(oja, tmp_path, monkeypatch):
    import oja_rule.experiments as module

    monkeypatch.setattr(module.Run, "once", lambda *_: {"norm": float("inf")})
    found = reproduce(oja, Plan("smoke", tmp_path / "out"))
    assert found.claims[1].measured["oja"]["mean"] is None
    assert found.claims[1].verdict == "does not hold"
