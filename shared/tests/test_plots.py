import math
import re
import statistics
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from separata import Claim, Paper, Run, plots


def drawn(axes) -> dict[str, np.ndarray]:
    """{label: points} of the lines with points in data coordinates."""
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def error_bars(axes) -> list[list[float]]:
    """[lower, upper] of each error bar, in the order in which they were drawn."""
    found = [c for c in axes.collections if hasattr(c, "get_segments")]
    return [sorted(segment[:, 1].tolist()) for lines in found for segment in lines.get_segments()]


def places(figure, artists) -> list:
    """Where artists are drawn, in pixels."""
    figure.draw_without_rendering()
    return [artist.get_window_extent() for artist in artists]


class TestCurves:
    history = [  # noqa: RUF012
        {"step": step, "method": method, "loss": seed + 10 * step + offset, "seed": seed}
        for method, offset in (("b", 0), ("a", 100))
        for seed in (0, 1, 5)
        for step in (2, 0, 1)
    ]

    def test_lines_are_the_means_of_each_group(self):
        figure = plots.curves(self.history, "loss", by="method")
        axes = figure.axes[0]
        mean = np.mean([0, 1, 5])
        expected = {name: [[x, mean + 10 * x + offset] for x in (0, 1, 2)] for name, offset in (("b", 0), ("a", 100))}
        lines = drawn(axes)
        assert list(lines) == ["b", "a"]
        for name, points in expected.items():
            np.testing.assert_allclose(lines[name], points)
        assert legend(figure) == ["b", "a"]
        assert [line.get_color() for line in axes.get_lines()] == list(plots.PALETTE[:2])

    def test_bands_are_one_sample_standard_deviation(self):
        axes = plots.curves(self.history, "loss", by="method").axes[0]
        spread = np.sqrt(np.sum((np.array([0, 1, 5]) - 2) ** 2) / 2)
        assert len(axes.collections) == 2
        vertices = axes.collections[0].get_paths()[0].vertices
        for x in (0, 1, 2):
            at = vertices[vertices[:, 0] == x, 1]
            assert at.min() == pytest.approx(2 + 10 * x - spread)
            assert at.max() == pytest.approx(2 + 10 * x + spread)

    def test_one_group_without_repetitions(self):
        figure = plots.curves([{"step": 1, "a": 3.0}, {"step": 0, "a": 2.0}, {"step": 1, "b": 9.0}], "a")
        axes = figure.axes[0]
        (line,) = axes.get_lines()
        assert line.get_xydata().tolist() == [[0, 2], [1, 3]]
        assert not axes.collections
        assert not figure.legends
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "a")

    def test_a_single_point_is_seen(self):
        (line,) = plots.curves([{"step": 4, "a": 3.0}], "a").axes[0].get_lines()
        assert line.get_marker() == "o"

    def test_labels_and_references(self):
        figure = plots.curves(
            self.history, "loss", xlabel="epoch", ylabel="loss / nats", title="T", reference={"paper": 7.5, "best": 3.0}
        )
        axes = figure.axes[0]
        assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("epoch", "loss / nats", "T")
        lines = drawn(axes)
        assert lines["paper"][:, 1].tolist() == [7.5, 7.5]
        assert lines["best"][:, 1].tolist() == [3, 3]
        single = plots.curves(self.history, "loss", reference=2.5).axes[0]
        assert drawn(single)["reference"][:, 1].tolist() == [2.5, 2.5]

    def test_another_axis_and_groups_that_are_numbers(self):
        rows = [{"n": n, "seconds": n * width, "width": width} for n in (1, 2) for width in (16, 32)]
        figure = plots.curves(rows, "seconds", x="n", by="width")
        np.testing.assert_allclose(drawn(figure.axes[0])["32"], [[1, 32], [2, 64]])
        assert figure.legends[0].get_title().get_text() == "width"

    def test_many_groups_stay_distinct(self):
        rows = [{"step": step, "a": step, "by": group} for group in map(str, range(20)) for step in (0, 1)]
        lines = plots.curves(rows, "a", by="by").axes[0].get_lines()
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 20

    @pytest.mark.parametrize(("rows", "given"), [([], "no rows"), ([{"step": 1, "loss": 2}], "step, loss")])
    def test_a_key_that_is_not_there(self, rows, given):
        with pytest.raises(ValueError, match=f"no row with step, accuracy: its rows have {given}$"):
            plots.curves(rows, "accuracy")


class TestBars:
    def test_one_bar_a_group(self):
        figure = plots.bars({"x": 1.5, "y": -2.0}, errors={"x": 0.25, "y": 0.5}, ylabel="gain")
        axes = figure.axes[0]
        assert [bar.get_height() for bar in axes.patches] == [1.5, -2.0]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y"]
        assert texts(axes) == ["1.5", "-2"]
        assert axes.get_ylabel() == "gain"
        assert not figure.legends
        assert error_bars(axes) == [[1.25, 1.75], [-2.5, -1.5]]

    def test_a_bar_for_each_series_of_each_group(self):
        values = {"mnist": {"bp": 3.0, "ff": 2.0}, "cifar": {"ff": 1.0, "noprop": 4.0}}
        figure = plots.bars(values, errors={"mnist": {"bp": 0.5}}, fmt=".1f", reference=2.5)
        axes = figure.axes[0]
        found = {}
        for container in axes.containers:
            if hasattr(container, "patches"):
                centers = [round(bar.get_x() + bar.get_width() / 2, 3) for bar in container]
                found[container.get_label()] = dict(zip(centers, [bar.get_height() for bar in container], strict=True))
        third = 0.8 / 3
        expected = {"bp": {-third: 3.0}, "ff": {0: 2.0, 1: 1.0}, "noprop": {1 + third: 4.0}}
        assert found == {name: {round(x, 3): y for x, y in bars.items()} for name, bars in expected.items()}
        assert len(axes.patches) == 4
        assert sorted(texts(axes)) == ["1.0", "2.0", "3.0", "4.0"]
        assert sorted(legend(figure)) == ["bp", "ff", "noprop", "reference"]

    def test_seeds_are_shown_with_their_mean_and_spread(self):
        values = {"mnist": {"bp": [3.0, 5.0, 7.0], "ff": (1.0, 2.0)}, "cifar": {"ff": np.array([-4.0, -2.0, 0.0])}}
        axes = plots.bars(values).axes[0]
        assert sorted(bar.get_height() for bar in axes.patches) == [-2.0, 1.5, 5.0]
        half = statistics.stdev([1.0, 2.0])
        expected = [[3.0, 7.0], [1.5 - half, 1.5 + half], [-4.0, 0.0]]
        np.testing.assert_allclose(error_bars(axes), expected)
        dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
        assert [line.get_ydata().tolist() for line in dots] == [[3.0, 5.0, 7.0], [1.0, 2.0], [-4.0, -2.0, 0.0]]
        for line, bar in zip(dots, sorted(axes.patches, key=lambda bar: bar.get_height())[::-1]):
            assert bar.get_x() < min(line.get_xdata()) < max(line.get_xdata()) < bar.get_x() + bar.get_width()

    def test_a_logarithmic_axis_shows_numbers_of_several_orders(self):
        values = {"ours": [5e-5, 7e-5, 6e-5], "theirs": [1e-3, 9e-3, 5e-3]}
        figure = plots.bars(values, paper={"ours": 1e-6, "theirs": None}, log=True)
        axes = figure.axes[0]
        assert axes.get_yscale() == "log"
        low, high = axes.get_ylim()
        assert (low, high > 9e-3) == (pytest.approx(1e-7), True)
        bars, frame = places(figure, axes.patches), axes.get_window_extent()
        heights = [bar.y1 - frame.y0 for bar in bars]
        assert heights[1] / heights[0] == pytest.approx(math.log(5e-3 / low) / math.log(6e-5 / low), rel=0.01)
        assert all(frame.y0 <= text.y0 and text.y1 <= frame.y1 for text in places(figure, axes.texts))
        for text, bar in zip(places(figure, axes.texts), bars, strict=True):
            assert bar.y1 < text.y0 < bar.y1 + 0.3 * frame.height

    @pytest.mark.parametrize("reference", [1.0, {"chance": 1.0}])
    def test_a_logarithmic_axis_shows_what_bars_are_compared_with(self, reference):
        low, high = plots.bars({"a": 0.02, "b": 0.1}, reference=reference, log=True).axes[0].get_ylim()
        assert low < 0.02
        assert high > 1.0

    def test_what_has_no_logarithm_has_a_number_and_no_bar(self):
        figure = plots.bars({"a": [3.0, -1.0], "b": -2.0, "c": 0.0}, paper={"c": -1.0}, log=True)
        axes = figure.axes[0]
        assert axes.get_ylim()[0] == pytest.approx(0.1)
        numbers, frame = places(figure, axes.texts), axes.get_window_extent()
        assert all(frame.y0 <= text.y0 < text.y1 <= frame.y1 for text in numbers)
        assert texts(axes) == ["1", "-2", "0"]
        plots.bars({"a": -1.0, "b": math.nan}, log=True)

    def test_seeds_that_agree_have_no_spread(self):
        axes = plots.bars({"x": [4.0, 4.0, 4.0], "y": [4.0]}).axes[0]
        assert error_bars(axes) == []
        assert not [line for line in axes.get_lines() if line.get_marker() == "o"]

    def test_the_paper_s_numbers_stand_at_their_bars(self):
        figure = plots.bars({"x": {"a": 1.0, "b": [2.0, 3.0]}}, paper={"x": {"a": None, "b": 5.0}})
        axes = figure.axes[0]
        (line,) = [line for line in axes.get_lines() if line.get_marker() == "D"]
        bar = max(axes.patches, key=lambda bar: bar.get_height())
        assert line.get_xydata().tolist() == [[pytest.approx(bar.get_x() + bar.get_width() / 2), 5.0]]
        assert "paper" in legend(figure)

    def test_numbers_cover_neither_seeds_nor_the_paper_s_number(self):
        values = {"up": [1.0, 4.0, 2.0], "down": [-1.0, -3.0], "one": [2.0], "none": [0.0, 0.0]}
        paper = {"up": 4.2, "down": -3.3, "one": 9.0, "none": None}
        figure = plots.bars(values, paper=paper)
        axes = figure.axes[0]
        for text, box, (name, of) in zip(axes.texts, places(figure, axes.texts), values.items(), strict=True):
            (_, low), (_, high) = axes.transData.inverted().transform(box)
            sign = -1 if np.mean(of) < 0 else 1
            nearest = min(sign * low, sign * high)
            assert nearest >= max(sign * np.asarray(of)) - 1e-9, text
            assert paper[name] is None or not low <= paper[name] <= high

    def test_large_numbers_are_whole(self):
        assert texts(plots.bars({"x": 73477.0, "y": 0.12345, "z": 12.345}).axes[0]) == ["73,477", "0.123", "12.3"]

    def test_no_numbers(self):
        assert texts(plots.bars({"x": 1.0}, fmt=None).axes[0]) == []

    def test_long_names_wrap_and_do_not_meet(self):
        names = ["a model trained on complete traces", "a model trained on solutions only", "Dualformer, slow mode"]
        figure = plots.bars(dict.fromkeys(names, 1.0))
        labels = figure.axes[0].get_xticklabels()
        assert [" ".join(label.get_text().split()) for label in labels] == names
        assert {label.get_rotation() for label in labels} == {0.0}
        assert not [1 for one, other in combinations(places(figure, labels), 2) if one.overlaps(other)]

    def test_long_names_are_slanted(self):
        rotations = [
            plots.bars({name * n: 1.0 for name in "abc"}).axes[0].get_xticklabels()[0].get_rotation() for n in (3, 40)
        ]
        assert rotations == [0, 30]

    @pytest.mark.parametrize(
        ("values", "hint"),
        [({}, "at least one"), ({"x": {}}, "at least one"), ({"x": 1.0, "y": {"a": 1.0}}, "some of")],
    )
    def test_what_cannot_be_drawn(self, values, hint):
        with pytest.raises(ValueError, match=hint):
            plots.bars(values)


class TestClaim:
    claim = Claim(
        "rules",
        "It forgets less",
        "BWT",
        {"dsr_ours": -0.1, "dsr_theirs": None, "bptt_ours": None},
        criterion="ours above theirs",
        holds=lambda m: m["dsr_ours"] > m["dsr_theirs"],
        labels={"dsr_ours": "ours, under DSR"},
    )

    @pytest.fixture
    def run(self, tmp_path):
        run = Run(Paper("x", "X", 2020, (self.claim,)), ["rules"], tmp_path, seeds=(0, 1))
        run.measure("rules", dsr_ours=-0.25, dsr_theirs=-1, bptt_ours=-0.5)
        run.measure("rules", dsr_ours=-0.75, dsr_theirs=-2, bptt_ours=-0.5)
        return run

    def test_every_key_stands_under_its_label(self, run):
        axes = plots.claim(run, "rules").axes[0]
        names = [" ".join(label.get_text().split()) for label in axes.get_xticklabels()]
        assert names == ["ours, under DSR", "dsr theirs", "bptt ours"]
        assert [bar.get_height() for bar in axes.patches] == [-0.5, -1.5, -0.5]
        (paper,) = [line for line in axes.get_lines() if line.get_marker() == "D"]
        assert paper.get_xydata().tolist() == [[0.0, -0.1]]
        assert axes.get_ylabel() == "BWT"

    def test_keys_may_be_chosen_and_grouped(self, run):
        assert len(plots.claim(run, "rules", ["dsr_theirs"], ylabel="forgetting").axes[0].patches) == 1
        groups = {"DSR": {"ours": "dsr_ours", "theirs": "dsr_theirs"}, "BPTT": {"ours": "bptt_ours"}}
        figure = plots.claim(run, "rules", groups)
        assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["DSR", "BPTT"]
        assert sorted(bar.get_height() for bar in figure.axes[0].patches) == [-1.5, -0.5, -0.5]
        assert legend(figure) == ["ours", "theirs", "paper"]

    def test_what_cannot_be_drawn(self, run, tmp_path):
        with pytest.raises(ValueError, match="has no key fa"):
            plots.claim(run, "rules", {"x": {"y": "fa"}})
        with pytest.raises(ValueError, match="nothing was measured of the claim 'rules'"):
            plots.claim(Run(run.paper, ["rules"], tmp_path), "rules")


class TestHeatmap:
    matrix = np.array([[0.0, 0.254, np.nan], [1.0, -0.5, 0.75]])

    def test_numbers_names_and_blanks(self):
        figure = plots.heatmap(
            self.matrix, rows=["p", "q"], columns=[10, 20, 30], xlabel="c", ylabel="r", label="share", title="T"
        )
        axes, bar = figure.axes
        at = {text.get_position(): text.get_text() for text in axes.texts}
        assert at == {(0, 0): "0.00", (1, 0): "0.25", (0, 1): "1.00", (1, 1): "-0.50", (2, 1): "0.75"}
        assert [label.get_text() for label in axes.get_yticklabels()] == ["p", "q"]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "20", "30"]
        assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("c", "r", "share")
        array = axes.images[0].get_array()
        np.testing.assert_array_equal(array.mask, np.isnan(self.matrix))
        np.testing.assert_array_equal(array.compressed(), self.matrix[~np.isnan(self.matrix)])
        assert axes.images[0].get_clim() == (-0.5, 1.0)
        assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first row is at the top"

    def test_numbers_stand_out_from_their_cells(self):
        axes = plots.heatmap(np.linspace(0, 1, 12).reshape(3, 4)).axes[0]
        image = axes.images[0]
        for text in axes.texts:
            column, row = text.get_position()
            cell = image.cmap(image.norm(image.get_array()[row, column]))[:3]
            ink = mpl.colors.to_rgb(text.get_color())
            assert abs(np.dot(np.subtract(cell, ink), (0.299, 0.587, 0.114))) > 0.3

    def test_tensors_lists_formats_and_limits(self):
        tensor = torch.tensor([[1, 2], [3, 4]], dtype=torch.bfloat16, requires_grad=True)
        for matrix in (tensor, [[1.0, 2.0], [3.0, 4.0]]):
            axes = plots.heatmap(matrix, fmt=".0f", limits=(0.0, 10.0)).axes[0]
            assert texts(axes) == ["1", "2", "3", "4"]
            assert axes.images[0].get_clim() == (0, 10)
        assert texts(plots.heatmap([[1.0]], fmt=None).axes[0]) == []

    @pytest.mark.parametrize("matrix", [[[float("nan")]], [[]]])
    def test_no_numbers(self, matrix):
        with pytest.raises(ValueError, match="at least one finite number"):
            plots.heatmap(matrix)

    def test_names_that_do_not_fit(self):
        with pytest.raises(ValueError, match="the matrix has 3 columns, but 2 names"):
            plots.heatmap(self.matrix, columns=["a", "b"])


class TestStyle:
    def figures(self):
        yield plots.curves([{"step": x, "a": x} for x in range(3)], "a")
        yield plots.bars({"x": 1.0})
        yield plots.heatmap([[1.0, 2.0]])

    def test_global_settings_and_pyplot_are_left_alone(self, tmp_path):
        before = dict(mpl.rcParams)
        for figure in self.figures():
            figure.savefig(tmp_path / "figure.svg")
        assert dict(mpl.rcParams) == before
        plt = pytest.importorskip("matplotlib.pyplot")
        assert not plt.get_fignums()

    def test_svg_keeps_text_as_text(self, tmp_path):
        plots.bars({"MNIST": 1.0}, ylabel="accuracy", title="Learning").savefig(tmp_path / "figure.svg")
        found = re.findall(r"<text[^>]*>([^<]+)</text>", (tmp_path / "figure.svg").read_text())
        assert {"MNIST", "accuracy", "Learning"} <= set(found)

    def test_files_are_those_of_figures_that_are_drawn_for_their_layout(self, tmp_path, monkeypatch):
        def save(name):
            logarithmic = plots.bars({"a long name": {"s": 1e-3, "t": 2.0}}, log=True, title="T", reference=1.0)
            for i, figure in enumerate([*self.figures(), logarithmic]):
                with mpl.rc_context({"svg.hashsalt": "salt"}):
                    figure.savefig(tmp_path / f"{name}{i}.svg", bbox_inches="tight", metadata={"Date": None})
            return [path.read_text() for path in sorted(tmp_path.glob(f"{name}*.svg"))]

        ours = save("ours")
        assert all("<text" in text for text in ours)
        monkeypatch.setattr("separata.canvas._Figure.draw", mpl.figure.Figure.draw)
        assert save("theirs") == ours

    @pytest.mark.parametrize("names", [["HLOP", "EWC"], ["the baseline, with settings of its own"] * 7, ["word " * 40]])
    def test_the_legend_covers_nothing(self, names):
        groups = [f"{name} {i}" for i, name in enumerate(names)]
        rows = [{"step": step, "a": step * i, "by": group} for i, group in enumerate(groups) for step in (0, 1)]
        several = {"first": dict.fromkeys(groups, 1.0), "second": {name: [2.0, 3.0] for name in groups}}
        for figure in (plots.curves(rows, "a", by="by", xlabel="steps"), plots.bars(several, reference=2.0)):
            below, plot = places(figure, [figure.legends[0], figure.axes[0]])
            assert below.y1 <= figure.axes[0].get_tightbbox().y0 + 1
            assert plot.height > 1.5 * figure.dpi, "room is left for the curves"
            assert below.x0 >= -1
            assert below.x1 <= figure.bbox.x1 + 1

    def test_figures_are_on_white_on_any_page(self, tmp_path):
        with mpl.rc_context({"figure.facecolor": "black", "savefig.facecolor": "none", "savefig.transparent": False}):
            for figure in self.figures():
                figure.savefig(tmp_path / "figure.png")
                pixels = mpl.image.imread(tmp_path / "figure.png")
                assert pixels[0, 0].tolist() == [1, 1, 1, 1]

    def test_no_frame_at_the_top_and_right(self):
        axes = next(self.figures()).axes[0]
        assert not axes.spines["top"].get_visible()
        assert not axes.spines["right"].get_visible()

    def test_ticks_made_while_saving_have_the_style(self, tmp_path):
        with mpl.rc_context({"xtick.color": "red", "text.color": "red"}):
            figure = next(self.figures())
            figure.savefig(tmp_path / "figure.png")
        assert {to_hex(line.get_color()) for line in figure.axes[0].get_xticklines()} == {plots.STYLE["xtick.color"]}

    def test_text_stays_inside_the_picture(self, tmp_path):
        figure = plots.bars(
            {f"a very long name of a method {i}": {"s": float(i), "t": 1.0} for i in range(4)}, title="T"
        )
        figure.savefig(tmp_path / "figure.png")
        box = figure.get_tightbbox()
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.get_figwidth() + 0.01
        assert box.y1 <= figure.get_figheight() + 0.01
