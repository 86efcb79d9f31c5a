import re

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from separata import plots


def drawn(axes) -> dict[str, np.ndarray]:
    """{label: points} of the lines with points in data coordinates."""
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


class TestCurves:
    history = [  # noqa: RUF012
        {"step": step, "method": method, "loss": seed + 10 * step + offset, "seed": seed}
        for method, offset in (("b", 0), ("a", 100))
        for seed in (0, 1, 5)
        for step in (2, 0, 1)
    ]

    def test_lines_are_the_means_of_each_group(self):
        axes = plots.curves(self.history, "loss", by="method").axes[0]
        mean = np.mean([0, 1, 5])
        expected = {name: [[x, mean + 10 * x + offset] for x in (0, 1, 2)] for name, offset in (("b", 0), ("a", 100))}
        lines = drawn(axes)
        assert list(lines) == ["b", "a"]
        for name, points in expected.items():
            np.testing.assert_allclose(lines[name], points)
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["b", "a"]
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
        axes = plots.curves([{"step": 1, "a": 3.0}, {"step": 0, "a": 2.0}, {"step": 1, "b": 9.0}], "a").axes[0]
        (line,) = axes.get_lines()
        assert line.get_xydata().tolist() == [[0, 2], [1, 3]]
        assert not axes.collections
        assert axes.get_legend() is None
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
        axes = plots.curves(rows, "seconds", x="n", by="width").axes[0]
        np.testing.assert_allclose(drawn(axes)["32"], [[1, 32], [2, 64]])
        assert axes.get_legend().get_title().get_text() == "width"

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
        axes = plots.bars({"x": 1.5, "y": -2.0}, errors={"x": 0.25, "y": 0.5}, ylabel="gain").axes[0]
        assert [bar.get_height() for bar in axes.patches] == [1.5, -2.0]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y"]
        assert texts(axes) == ["1.5", "-2"]
        assert axes.get_ylabel() == "gain"
        assert axes.get_legend() is None
        (lines,) = [c for c in axes.collections if len(c.get_paths()) == 2]
        spans = [sorted(path.vertices[:, 1]) for path in lines.get_paths()]
        assert spans == [[1.25, 1.75], [-2.5, -1.5]]

    def test_a_bar_for_each_series_of_each_group(self):
        values = {"mnist": {"bp": 3.0, "ff": 2.0}, "cifar": {"ff": 1.0, "noprop": 4.0}}
        axes = plots.bars(values, errors={"mnist": {"bp": 0.5}}, fmt=".1f", reference=2.5).axes[0]
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
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert sorted(legend) == ["bp", "ff", "noprop", "reference"]

    def test_no_numbers(self):
        assert texts(plots.bars({"x": 1.0}, fmt=None).axes[0]) == []

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
