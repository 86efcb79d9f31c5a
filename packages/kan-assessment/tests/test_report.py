"""Reports: tables, figures, folders that are gone on with."""

import json

import pytest
from matplotlib.figure import Figure

from kan_assessment import draw_advantages, draw_pareto, draw_ratios, draw_scaling, load, write
from kan_assessment.configs import RunConfig, SearchConfig, TrainConfig
from kan_assessment.protocol.comparison import compare
from kan_assessment.protocol.trials import Trial
from kan_assessment.report import folder as folders
from kan_assessment.report.writing import markdown, spread, table_rows, text_table, told
from kan_assessment.tasks.suites import load_task
from separata.progress import Reporter
from separata.runs import RunFolder
from separata.testing import contents

CONFIG = RunConfig(train=TrainConfig(epochs=1), search=SearchConfig(trials=2, seeds=2))
LABELS = {"mlp": "MLP", "bspline_kan": "B-spline KAN"}


@pytest.fixture(scope="module")
def comparisons():
    return [
        compare(load_task(name), ["mlp", "bspline_kan"], ("params", "flops"), CONFIG, base=Trial(name, "mlp", ()))
        for name in ("tabular/iris", "tabular/diabetes")
    ]


def test_a_report_is_written_and_read_again(comparisons, tmp_path):
    written = write(tmp_path, comparisons, ("params", "flops"))
    assert {path.name for path in written} == {
        "report.json",
        "report.md",
        "advantages.svg",
        "pareto-0.svg",
        "pareto-1.svg",
    }
    assert load(tmp_path) == load(tmp_path / "report.json") == comparisons
    text = (tmp_path / "report.md").read_text()
    assert "## tabular: iris" in text
    assert "B-spline KAN" in text
    assert "![advantages](advantages.svg)" in text


def test_wrong_reports_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path)
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(ValueError, match="not the report"):
        load(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({"comparisons": [{"task": "x"}]}))
    with pytest.raises(ValueError, match="not the result of a comparison"):
        load(tmp_path)


def test_numbers_are_told_as_people_read_them(comparisons):
    assert spread([1.0, 2.0, 3.0]) == "2 ± 1"
    assert spread([4.0]) == "4"
    assert spread([float("nan"), 1.0]) == "diverged"
    rows = table_rows(comparisons[0], LABELS)
    assert [row["model"] for row in rows] == ["MLP", "B-spline KAN"] * 2
    assert rows[0]["against the first"] == ""
    lines = text_table(rows).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("model")
    entry = comparisons[1].entry("bspline_kan")
    less = told(entry, is_lower_better=True)
    # A positive advantage is less error.
    assert less.startswith("-" if entry.advantage.mean > 0 else "+")
    assert "%" in less
    assert text_table([]) == ""
    assert "| MLP |" in markdown(comparisons, LABELS, ("params",), [])


def test_figures_show_every_model_and_task(comparisons):
    figure = draw_advantages(comparisons, LABELS, ("params", "flops"))
    assert isinstance(figure, Figure)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["tabular: iris", "tabular: diabetes"]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(text.replace("\n", " ") for text in named) == [
        "B-spline KAN, equal FLOPs",
        "B-spline KAN, equal parameters",
    ]
    pareto = draw_pareto(comparisons[1], LABELS)
    assert {text.get_text() for text in pareto.legends[0].get_texts()} == {"MLP", "B-spline KAN"}
    points = sum(len(line.get_xdata()) for line in pareto.axes[0].get_lines() if line.get_linestyle() == "None")
    assert points == len(comparisons[1].trials)
    ratios = draw_ratios({"KAN": {16: 3.0, 32: 4.0}}, (1.36, 100.0))
    assert ratios.axes[0].get_yscale() == "log"
    scaling = draw_scaling({"KAN": {50.0: [0.1, 0.2], 100.0: [0.05, 0.06]}})
    assert scaling.axes[0].get_xscale() == "log"


def test_finished_trials_are_kept_and_not_repeated(tmp_path, monkeypatch):
    trial = Trial("tabular/iris", "mlp", (4,), train=TrainConfig(epochs=1), seeds=(0,))
    other = Trial("tabular/iris", "mlp", (5,), train=TrainConfig(epochs=1), seeds=(0,))
    done = []

    def counted(one, device):
        done.append(one)
        return {"test": [1.0], "validation": [float(len(one.hidden))]}

    monkeypatch.setattr(folders, "run_trial", counted)
    folder = folders.begin(tmp_path / "out", ["tabular/iris"], ["mlp"], ["params"], CONFIG, "", resume=False)
    assert not (tmp_path / "out").exists()
    with folder.training(Reporter(quiet=True)):
        trials = folders.Trials(Reporter(quiet=True), "cpu", folder)
        assert len(trials([trial, trial])) == 2
    assert done == [trial]
    again = folders.begin(tmp_path / "out", ["tabular/iris"], ["mlp"], ["params"], CONFIG, "", resume=True)
    with again.training(Reporter(quiet=True)):
        folders.Trials(Reporter(quiet=True), "cpu", again)([trial, other])
    assert done == [trial, other]
    assert RunFolder.open(tmp_path / "out").values()["models"] == ["mlp"]


def test_a_folder_of_another_assessment_is_refused(tmp_path):
    folder = folders.begin(tmp_path / "out", ["tabular/iris"], ["mlp"], ["params"], CONFIG, "a", resume=False)
    with folder.training(Reporter(quiet=True)):
        folder.save_checkpoint({"trials": {}})
    before = contents(tmp_path)
    for changes, told_ in (({"data": "b"}, "another data"), ({"models": ["kan"]}, "another models")):
        settings = {"tasks": ["tabular/iris"], "models": ["mlp"], "by": ["params"], "config": CONFIG, "data": "a"}
        with pytest.raises(ValueError, match=told_):
            folders.begin(tmp_path / "out", **(settings | changes), resume=True)
    with pytest.raises(ValueError, match="--resume"):
        folders.begin(tmp_path / "out", ["tabular/iris"], ["mlp"], ["params"], CONFIG, "a", resume=False)
    assert contents(tmp_path) == before
