import gzip
import shutil

import pytest
from pyscipopt import Model
from small_problems import Cover

from revibranch.configs import ScipConfig
from revibranch.scip.models import apply, make_scip_model, read_model


@pytest.mark.parametrize("ending", ["lp", "mps", "cip"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_files_are_read_as_they_were_written(tmp_path, ending, is_compressed):
    model = Cover(3, 8, 12).to_scip()
    path = tmp_path / f"cover.{ending}"
    model.writeProblem(str(path), verbose=False)
    if is_compressed:
        with path.open("rb") as whole, gzip.open(f"{path}.gz", "wb") as small:
            shutil.copyfileobj(whole, small)
        path = tmp_path / f"cover.{ending}.gz"
    again = read_model(path)
    model.optimize()
    again.optimize()
    assert (again.getNVars(transformed=False), again.getNConss(transformed=False)) == (12, 8)
    assert again.getObjVal() == pytest.approx(model.getObjVal())


BAD = {
    "words.lp": ("these are words\nend\n", "no variables"),
    "empty.lp": ("", "is empty"),
    "empty.mps": ("\n", "is empty"),
    "half.mps": ("NAME x\nROWS\n N obj\nCOLUMNS\n zz yy 1\nENDATA\n", "cannot read"),
    "half.cip": ("STATISTICS\n no\nEND\n", "cannot read"),
    "square.lp": ("Minimize\n x\nSubject To\n c: [ x^2 + y^2 ] >= 3\nGenerals\n x y\nEnd\n", "type nonlinear"),
    "sos.lp": ("Minimize\n x\nSubject To\n c: x + y >= 1\nGenerals\n x\nSOS\n s: S1:: x:1 y:2\nEnd\n", "type SOS1"),
    "continuous.lp": ("Minimize\n x\nSubject To\n c: x + y >= 1\nEnd\n", "nothing to branch on"),
    "cover.txt": ("Minimize\n x\nSubject To\n c: x + y >= 1\nEnd\n", "must end in .lp"),
    "noise.lp.gz": ("no gzip", "no gzip file"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_integer_linear_problem_is_refused_in_a_sentence(tmp_path, name, capfd):
    content, words = BAD[name]
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=words) as error:
        read_model(path)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["lp", "mps", "cip"])
def test_damaged_files_are_refused_and_not_read_as_other_problems(tmp_path, ending):
    plain, packed = tmp_path / f"cover.{ending}", tmp_path / f"cover.{ending}.gz"
    Cover(3, 8, 12).to_scip().writeProblem(str(plain), verbose=False)
    text = plain.read_bytes()
    whole = gzip.compress(text)
    middle = len(whole) // 2
    flipped = [*whole]
    flipped[middle] ^= 255
    wrong_sum = [*whole]
    wrong_sum[-8] ^= 255
    cut = [whole[:-n] for n in (1, 8, 25, middle)]
    for damaged in (*cut, bytes(flipped), bytes(wrong_sum), text, b"", whole + b"more"):
        packed.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"cover.{ending}.gz is "):
            read_model(packed)
    for n in () if ending == "lp" else (len(text) // 2, len(text) - 7):
        plain.write_bytes(text[:n])
        packed.write_bytes(gzip.compress(text[:n]))
        for path in (plain, packed):
            with pytest.raises(ValueError, match=f"{path.name} is .* (END|ENDATA) is missing"):
                read_model(path)


@pytest.mark.parametrize("last", ["\nEnd", "\nEND \r\n\n", "\nend\\ the last word\n\\ and a comment", "\n", ""])
def test_an_lp_is_read_with_and_without_its_end(tmp_path, last):
    """Public test instances are without."""
    text = "Minimize\n x\nSubject To\n c: x + y >= 1\nGenerals\n x y"
    plain, packed = tmp_path / "a.lp", tmp_path / "a.lp.gz"
    plain.write_text(text + last)
    packed.write_bytes(gzip.compress(text.encode()) + gzip.compress(last.encode()))
    assert [read_model(path).getNIntVars() for path in (plain, packed)] == [2, 2]


def test_missing_files_and_strange_objects(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.lp"):
        read_model(tmp_path / "absent.lp")
    with pytest.raises(TypeError, match="to_scip"):
        make_scip_model(3, ScipConfig())


def test_settings_reach_scip():
    model = Model()
    apply(model, ScipConfig(7.0, 11, 5, depth_first=True, separating_rounds=2, heuristics=False))
    expected = {
        "limits/time": 7.0,
        "limits/nodes": 11,
        "randomization/randomseedshift": 5,
        "randomization/permutationseed": 5,
        "nodeselection/dfs/stdpriority": 666_666,
        "separating/maxrounds": 2,
        "separating/maxroundsroot": Model().getParam("separating/maxroundsroot"),
        "presolving/maxrestarts": 0,
        "timing/clocktype": 2,
        "heuristics/rounding/freq": -1,
    }
    assert {name: model.getParam(name) for name in expected} == expected
