"""The command line: what a person sees, right or wrong."""

import json
import os
import subprocess
import sys

import pytest

from separata import app, cli


@pytest.fixture
def main(oja_site):
    """Run Oja's command line."""

    def run(*arguments: str) -> None:
        from oja_rule import cli as oja_cli

        cli.main(oja_cli.PAPER, [oja_cli.fit], arguments)

    return run


def refused(main, capsys, *arguments: str) -> str:
    """The one line with which the arguments are refused."""
    with pytest.raises(SystemExit) as end:
        main(*arguments)
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n"), err[-1]) == (2, "", 1, "\n")
    assert err.startswith("oja-rule: error: ")
    return err


def test_a_command_is_run_with_its_arguments(main, capsys, tmp_path):
    (tmp_path / "in.txt").write_text("1 2.5")
    main("fit", str(tmp_path / "in.txt"), "--out", str(tmp_path / "out.txt"), "--passes", "2")
    assert capsys.readouterr().out == "done\n"
    assert (tmp_path / "out.txt").read_text() == "7.0"


def test_version_and_citation(main, capsys):
    main("--version")
    main("cite")
    out = capsys.readouterr().out
    assert out.startswith("1.2\n@inproceedings{oja1982")


def test_claims_are_shown_and_given_as_json(main, capsys):
    main("claims")
    assert "bounded: Its weight stays bounded" in capsys.readouterr().out
    main("claims", "--json")
    rows = json.loads(capsys.readouterr().out)["claims"]
    assert [row["id"] for row in rows] == ["first-component", "bounded", "fast"]


def test_help_lists_the_commands(main, capsys):
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None)
    out = capsys.readouterr().out
    assert all(name in out for name in ("fit", "reproduce", "claims", "cite", "--version"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
    argvalues=[
        (("fit",), "out"),
        (("fit", "missing.txt", "--out", "o"), "missing.txt"),
        (("fit", "in", "--out", "o", "--passes", "many"), "passes"),
        (("fly",), "fly"),
        (("reproduce", "--nonsense"), "nonsense"),
        (("reproduce", "--preset", "nope"), "one of smoke, quick, gpu, paper, not 'nope'"),
        (("reproduce", "--only", "nothing"), "no claim 'nothing'"),
        (("reproduce", "--seeds", "0"), "at least 1"),
        (("reproduce", "--device", "abacus"), "one of auto, cpu, cuda"),
    ],
)
def test_bad_input_is_refused_in_one_line(main, capsys, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(main, capsys, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) in (["counts", "site"], ["counts", "separata-runs", "site"])


def test_an_output_folder_that_cannot_be_is_refused_in_one_line(main, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write to the folder" in refused(main, capsys, "reproduce", "--out", str(tmp_path / "file" / "out"))


@pytest.mark.parametrize("end", ["", "raise SystemExit(10)"])
@pytest.mark.parametrize("flush", [True, False])
def test_output_that_nobody_reads_ends_it_without_a_word(flush, end):
    code = f"""
from separata import cli

def speak():
    print("a word", flush={flush})
    {end}

cli.run("talker", "It talks.", {{"speak": speak, "listen": print}}, lambda: "1")
"""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code, "speak"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_program_error_keeps_its_traceback(main, monkeypatch, tmp_path):
    import oja_rule.experiments as module

    def broken(*_):
        raise AttributeError("a bug")

    monkeypatch.setattr(module, "final_norm", broken)
    with pytest.raises(AttributeError, match="a bug"):
        main("reproduce", "--preset", "smoke", "--only", "bounded", "--out", str(tmp_path))


def test_json_alone_goes_to_standard_output(main, capsys, tmp_path):
    main("reproduce", "--preset", "smoke", "--out", str(tmp_path / "out"), "--json")
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out/smoke.json").read_text())


def test_the_default_preset_can_be_set_for_all(main, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEPARATA_PRESET", "smoke")
    main("reproduce", "--out", str(tmp_path / "out"))
    assert (tmp_path / "out/smoke.html").is_file()
    assert "holds" in capsys.readouterr().out


@pytest.fixture
def separata(monkeypatch):
    """Run the command line of all papers."""

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["separata", *arguments])
        app.main()

    return run


def test_installed_papers_are_listed(separata, oja, capsys):
    separata("list", "--json")
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["oja-rule"]["version"] == "1.2"
    assert rows["oja-rule"]["claims"] == 3
    separata("list")
    assert "oja-rule" in capsys.readouterr().out


def test_papers_are_reproduced_and_put_on_one_page(separata, oja, tmp_path, capsys):
    separata("reproduce", "oja-rule", "--preset", "smoke", "--out", str(tmp_path / "runs"))
    separata("report", str(tmp_path / "runs"), "--out", str(tmp_path / "all.html"))
    assert "It takes a millisecond in squid" in (tmp_path / "all.html").read_text()
    assert capsys.readouterr().out.endswith("all.html\n")


def test_a_folder_without_evidence_is_refused(separata, capsys, tmp_path):
    with pytest.raises(SystemExit):
        separata("report", str(tmp_path), "--out", str(tmp_path / "all.html"))
    assert capsys.readouterr().err == f"separata: error: there is no evidence file in {tmp_path}\n"


def test_importing_the_core_imports_nothing_heavy():
    code = "import separata, sys; print({'torch', 'numpy', 'matplotlib', 'tyro'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
