"""The command line: what a person sees, right or wrong."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from separata import Reference, app, cli


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


def test_every_reference_is_cited_and_named_in_the_help(oja_site, capsys):
    from oja_rule.paper import PAPER

    second = Reference("Subspace rule", "Neural networks, principal components", 1989, ("Erkki Oja",), arxiv="1.2")
    both = replace(PAPER, others=(second,))
    cli.main(both, [], ["cite"])
    cited = capsys.readouterr().out
    assert cited.count("@") == 2
    assert "year = {1989}" in cited
    cli.main(both, [], ["--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "Oja, A simplified neuron model as a principal component analyzer (Journal of Mathematical Biology" in out
    assert "https://doi.org/10.1007/BF00275687 Oja, Neural networks, principal components (1989) https://arxiv" in out


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands_one_a_line_in_80_columns(main, capsys, arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    main(*arguments)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) < 80 for line in lines)
    listed = lines[lines.index("commands:") + 1 :]
    assert [line.split()[0] for line in listed[:4]] == ["fit", "reproduce", "claims", "cite"]
    assert listed[:1] == ["  fit        Learn the leading direction of the rows of a text file"]
    assert listed[4] == ""


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Prove it", "Prove it"),
        ("Prove it, or not; and say so: quickly", "Prove it, or not"),
        ("Prove it, or say why not in many words", "Prove it"),
        ("Prove this without any punctuation at all", "Prove this without …"),
    ],
)
def test_what_does_not_fit_in_a_line_ends_where_a_reader_would_pause(sentence, shown):
    assert cli._short(sentence, 20) == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
    argvalues=[
        (("fit",), "--out must be given; see oja-rule fit --help"),
        (("fit", "--out", "o"), "INPUTS must be given"),
        (("fit", "missing.txt", "--out", "o"), "missing.txt"),
        (("fit", "in", "--out", "o", "--passes", "many"), "--passes must be a whole number, not 'many'"),
        (("fly",), "there is no command fly; the commands are fit, reproduce, claims, cite"),
        (("reprodcue",), "there is no command reprodcue; did you mean reproduce?"),
        (("--preset", "smoke"), "there is no command --preset; the commands are"),
        (("reproduce", "--nonsense"), "there is no option --nonsense; see oja-rule reproduce --help"),
        (("reproduce", "--presets", "smoke"), "there is no option --presets; did you mean --preset?"),
        (("reproduce", "--first-seed", "-1"), "at least 0, not -1"),
        (("reproduce", "--threads", "0"), "--threads must be at least 1, not 0"),
        (("fit", "in", "--out", "o", "--threads", "0"), "--threads must be at least 1, not 0"),
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


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7.28 TiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000000 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
)
def test_too_little_memory_is_told_in_one_line(error, main, capsys, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cli, "call", lambda *_: fail)
    assert "not enough memory" in refused(main, capsys, "fit", "in.txt", "--out", "out.txt")


def test_another_runtime_error_is_the_programs_own(main, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no")

    monkeypatch.setattr(cli, "call", lambda *_: fail)
    with pytest.raises(RuntimeError, match="^no$"):
        main("fit", "in.txt", "--out", "out.txt")


def test_a_program_error_keeps_its_traceback(main, monkeypatch, tmp_path):
    import oja_rule.experiments as module

    def broken(*_):
        raise AttributeError("a bug")

    monkeypatch.setattr(module, "final_norm", broken)
    with pytest.raises(AttributeError, match="a bug"):
        main("reproduce", "--preset", "smoke", "--only", "bounded", "--out", str(tmp_path))


def _too_much_for_numpy(*_):
    return np.empty(10**17)


def _too_much_for_torch(*_):
    return torch.empty(10**17)


@pytest.mark.parametrize("work", [_too_much_for_numpy, _too_much_for_torch])
def test_work_that_runs_out_of_memory_is_told_in_one_line(main, capsys, monkeypatch, tmp_path, work):
    import oja_rule.experiments as module

    monkeypatch.setattr(module, "final_norm", work)
    with pytest.raises(SystemExit) as end:
        main("reproduce", "--preset", "smoke", "--only", "bounded", "--out", str(tmp_path))
    last = capsys.readouterr().err.splitlines()[-1]
    assert (end.value.code, last.startswith("oja-rule: error: there is not enough memory")) == (2, True)


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
