"""Lists of instances and of results."""

import pytest

from bab_verify.properties.instances import (
    Instance,
    InstanceResult,
    InstancesError,
    ResultsFile,
    read_instances,
    select_instances,
)


def test_read(tmp_path):
    (tmp_path / "a.onnx.gz").touch()
    (tmp_path / "b.vnnlib").touch()
    path = tmp_path / "instances.csv"
    path.write_text("onnx,vnnlib,timeout\n./a.onnx,b.vnnlib.gz,10\n\n none.onnx , b.vnnlib,2.5\n")
    first, second = read_instances(path)
    assert first == Instance(tmp_path / "a.onnx.gz", tmp_path / "b.vnnlib", 10)
    assert second == Instance(tmp_path / "none.onnx", tmp_path / "b.vnnlib", 2.5)


def test_a_folder_does_not_hide_a_file(tmp_path):
    (tmp_path / "a.onnx").mkdir()
    (tmp_path / "a.onnx.gz").touch()
    (tmp_path / "list.csv").write_text("a.onnx,b.vnnlib,10\n")
    assert read_instances(tmp_path / "list.csv")[0].onnx == tmp_path / "a.onnx.gz"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,1\na,b", "line 2: expected onnx,vnnlib,timeout, but there are 2 columns"),
        ("a,b,1,2", "line 1: .* 4 columns"),
        ("a,b,zero", "line 1: the timeout 'zero'"),
        ("a,b,0", "line 1: the timeout '0'"),
        ("a,b,-1", "line 1: the timeout"),
        ("a,b,nan", "line 1: the timeout"),
        ("a,b,inf", "line 1: the timeout"),
        ("", "no instances"),
        ("onnx,vnnlib,timeout\n", "no instances"),
        ('"a', "not a CSV file"),
    ],
)
def test_bad_lists(tmp_path, text, message):
    path = tmp_path / "instances.csv"
    path.write_text(text)
    with pytest.raises(InstancesError, match=message):
        read_instances(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_instances(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InstancesError, match="not a CSV file"):
        read_instances(tmp_path / "binary.csv")


def test_select(tmp_path):
    instances = [Instance(tmp_path / str(i), tmp_path, 1) for i in range(6)]
    assert [int(i.onnx.name) for i in select_instances(instances, "1, 3-5")] == [1, 3, 4, 5]
    for wrong in ("", "a", "1-", "-1", "5-3", "6", "0-6", "1,,2", "1.5"):
        with pytest.raises(InstancesError):
            select_instances(instances, wrong)


def result(i):
    return InstanceResult(f"net {i}.onnx", 'p,"q".vnnlib', "unsat", 1.25, 3, 4)


def test_results(tmp_path):
    path = tmp_path / "results.csv"
    results = ResultsFile(path)
    assert results.done() == set()
    results.append(result(0))
    results.append(result(1))
    assert path.read_text().splitlines()[0] == "onnx,vnnlib,status,seconds,visited,cuts"
    assert results.results() == [result(0), result(1)]
    with pytest.raises(InstancesError, match="there already"):
        ResultsFile(path)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_row_that_was_cut_off_is_dropped(tmp_path, cut):
    path = tmp_path / "results.csv"
    for i in range(2):
        ResultsFile(path, resume=True).append(result(i))
    path.write_bytes(path.read_bytes()[:-cut])
    again = ResultsFile(path, resume=True)
    assert again.done() == {(result(0).onnx, result(0).vnnlib)}
    again.append(result(1))
    assert again.results() == [result(0), result(1)]


def test_a_header_that_was_cut_off(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("onnx,vnn")
    results = ResultsFile(path, resume=True)
    results.append(result(0))
    assert results.results() == [result(0)]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "onnx,vnnlib,status,seconds,visited,cuts\na,b,unsat,x,1,2\n"])
def test_files_that_hold_no_results(tmp_path, text):
    path = tmp_path / "results.csv"
    path.write_text(text)
    with pytest.raises(InstancesError, match=r"not a (file of results|result)"):
        ResultsFile(path, resume=True).results()
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["a secret", "onnx,vnnlib,status,seconds,visited,cuts,and more", "x\ny"])
def test_a_file_that_holds_something_else_stays_as_it_is(tmp_path, text):
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(InstancesError, match="not a file of results"):
        ResultsFile(path, resume=True)
    assert path.read_text() == text


def test_a_header_that_was_cut_off_is_written_anew(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("onnx,vnn")
    assert ResultsFile(path, resume=True).results() == []
    assert not path.read_text()
