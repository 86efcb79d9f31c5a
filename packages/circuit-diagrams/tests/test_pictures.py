"""Pictures, read back: wires, separators, boxes, folding, formats."""

import re
from xml.etree import ElementTree as ET

import pytest
import torch
from torch import nn

from circuit_diagrams import GALLERY, DrawConfig, Drawing, draw, trace
from circuit_diagrams.gallery.attention import MultiHeadAttention
from circuit_diagrams.gallery.transformer import EncoderBlock
from circuit_diagrams.layout.order import n_crossings
from circuit_diagrams.regions import view_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def diagrams():
    found = {}
    for name in ("multi-head-attention", "encoder-block", "identity-block", "unet", "vision-transformer"):
        entry = GALLERY[name]
        found[name] = trace(entry.make(), *entry.inputs(torch.Generator().manual_seed(0)), axes=entry.axes)
    return found


@pytest.mark.parametrize(
    "name", ["multi-head-attention", "encoder-block", "identity-block", "unet", "vision-transformer"]
)
@pytest.mark.parametrize("wrap", [0, 700])
def test_each_data_column_has_a_wire_for_each_axis_and_a_separator_between_arrays(diagrams, name, wrap):
    diagram = diagrams[name]
    drawing = Drawing(diagram, DrawConfig(wrap=wrap, depth=99, fold=False))
    # Alive after a column: given or made in it or before, and read after it or returned. Depths by the longest way.
    picture = ET.fromstring(drawing.svg)
    layout = drawing.layout()
    level = dict.fromkeys((a.id for a in diagram.inputs), 0)
    place = {number: column for column, cells in enumerate(layout.columns.cells) for number in cells}
    last = {}
    for i, op in enumerate(diagram.ops):
        assert all(level[a.id] < place[i] for a in op.inputs)
        level.update({a.id: place[i] for a in op.outputs})
        last.update({a.id: max(last.get(a.id, 0), place[i] - 1) for a in op.inputs})
    last.update(dict.fromkeys((a.id for a in diagram.outputs), len(layout.columns) - 1))
    groups = [g for g in picture.iter(f"{SVG}g") if (g.get("class") or "").startswith("data")]
    assert {int(g.get("data-column")) for g in groups} == set(range(len(layout.columns)))
    for group in groups:
        column = int(group.get("data-column"))
        alive = [a for a in diagram.arrays.values() if a.id in level and level[a.id] <= column <= last.get(a.id, -1)]
        paths = [path.get("class") for path in group.iter(f"{SVG}path")]
        assert paths.count("wire") == sum(len(a.axes) for a in alive)
        assert paths.count("separator") == len(alive) - 1


def test_a_picture_is_the_same_each_time_and_valid():
    first, second = (draw(MultiHeadAttention(8, 4, 2), torch.ones(3, 8), torch.ones(5, 8)).svg for _ in range(2))
    assert first == second
    ET.fromstring(first)


def test_a_box_stands_on_the_wires_it_acts_on_and_on_no_other():
    diagram = trace(lambda x: x.softmax(1), torch.ones(2, 3, 4), axes={"x": "a b c"})
    picture = ET.fromstring(Drawing(diagram).svg)
    box = next(r for r in picture.iter(f"{SVG}rect") if "shape" in (r.get("class") or ""))
    low, high = float(box.get("y")), float(box.get("y")) + float(box.get("height"))
    first = next(g for g in picture.iter(f"{SVG}g") if g.get("data-column") == "0")
    rows = [float(re.match(r"M\S+ (\S+)H", path.get("d"))[1]) for path in first.iter(f"{SVG}path")]
    assert [low < y < high for y in rows] == [False, True, False]


def test_a_contraction_is_a_cup_and_shared_wires_meet_in_a_dot():
    diagram = trace(lambda q, k: torch.einsum("yk,xk->yx", q, k), torch.ones(2, 3), torch.ones(4, 3))
    text = Drawing(diagram).svg
    assert text.count('class="wire cup"') == 1
    shared = trace(lambda q, k: torch.einsum("hyk,hxk->hyx", q, k), torch.ones(5, 2, 3), torch.ones(5, 4, 3))
    assert Drawing(shared).svg.count('class="dot"') == 1


def test_no_two_arrays_overlap(diagrams):
    from circuit_diagrams.layout.coordinates import GAP, ROW

    for diagram in diagrams.values():
        layout = Drawing(diagram).layout()
        for order in layout.orders:
            for a, b in zip(order, order[1:]):
                assert layout.top[a] + layout.n_rows[a] * ROW + GAP <= layout.top[b] + 1e-6


def test_a_residual_block_has_no_crossing(diagrams):
    layout = Drawing(diagrams["identity-block"]).layout()
    assert n_crossings(layout.view, layout.columns, layout.orders) == 0


def test_wires_of_self_attention_meet_as_its_formula_says():
    """Keys stand beside queries on wires of their own, so that numbers of axes do not tell what meets what."""
    x = torch.ones(2, 5, 3)
    diagram = trace(lambda a: (a @ a.mT).softmax(-1) @ a, x, axes={"a": "b t k"})
    picture = ET.fromstring(Drawing(diagram).svg)
    products = [g for g in picture.iter(f"{SVG}g") if g.get("class") == "cell linear"]
    assert len(products) == 2
    for group in products:
        classes = [e.get("class") for e in group.iter()]
        # One sum over k, then over t′; samples meet in a dot. No wire ends by itself.
        assert classes.count("wire cup") == 1
        assert classes.count("dot") == 1
        assert "dot sum" not in classes


def test_exchanging_neighbors_saves_crossings_and_never_makes_more(diagrams, monkeypatch):
    import random

    from circuit_diagrams.layout import order
    from circuit_diagrams.layout.columns import columns_of

    def chance(seed):
        choose = random.Random(seed)
        plan = [(choose.randrange(3 + i), choose.randrange(3 + i)) for i in range(9)]

        def function(a, b, c):
            xs = [a, b, c]
            for i, j in plan:
                xs.append(torch.sin(xs[i]) + xs[j])
            return xs[-1], xs[-3], xs[-2]

        return trace(function, *(torch.ones(2) for _ in range(3)))

    found = []
    for diagram in [*diagrams.values(), *map(chance, range(4))]:
        view = view_of(diagram, 99, is_folded=False)
        columns = columns_of(view)
        after = n_crossings(view, columns, order.orders_of(view, columns))
        with monkeypatch.context() as patch:
            patch.setattr(order, "_swept", lambda view, columns, orders: orders)
            before = n_crossings(view, columns, order.orders_of(view, columns))
        found.append((before, after))
    assert all(after <= before for before, after in found)
    assert sum(after for _, after in found) < sum(before for before, _ in found)
    # The gallery's own pictures, as they were drawn when this was written.
    assert [after for _, after in found[: len(diagrams)]] == [0] * len(diagrams)


def test_equal_blocks_are_drawn_once_with_their_number():
    chain = nn.Sequential(*(EncoderBlock(8, 2, 16) for _ in range(5)), nn.Linear(8, 3))
    diagram = trace(chain, torch.ones(2, 3, 8))
    view = view_of(diagram)
    assert [(r.count, r.is_shared) for r in view.repeats if r.count == 5] == [(5, False)]
    assert len(view.cells) < len(diagram.ops) / 4
    assert "EncoderBlock ×5" in Drawing(diagram).svg or "×5" in Drawing(diagram).svg


def test_blocks_of_other_sizes_or_with_other_readers_are_not_folded():
    uneven = trace(
        nn.Sequential(nn.Sequential(nn.Linear(4, 5), nn.ReLU()), nn.Sequential(nn.Linear(5, 4), nn.ReLU())),
        torch.ones(2, 4),
    )
    assert view_of(uneven).repeats == ()

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3))

        def forward(self, x):
            seen = []
            for block in self.blocks:
                x = block(x)
                seen.append(x)
            return torch.stack(seen)

    assert view_of(trace(Watched(), torch.ones(2, 4))).repeats == ()


def test_shared_weights_are_said():
    layer = nn.Linear(4, 4)
    outer = nn.Sequential(nn.Sequential(layer, nn.ReLU()), nn.Sequential(layer, nn.ReLU()))
    assert "shared weights" in Drawing(trace(outer, torch.ones(2, 4))).svg


def test_depth_collapses_regions(diagrams):
    diagram = diagrams["vision-transformer"]
    assert [cell.kind for cell in view_of(diagram, 0).cells] == ["region"]
    sizes = [len(view_of(diagram, depth, is_folded=False).cells) for depth in (0, 1, 2, 9)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(diagram.ops)
    with pytest.raises(ValueError, match="depth"):
        view_of(diagram, -1)


@pytest.mark.parametrize(
    ("suffix", "head"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg"), ("html", b"<!DOCTYPE html>")]
)
def test_files(tmp_path, diagrams, suffix, head):
    path = Drawing(diagrams["identity-block"], DrawConfig(theme="dark")).save(tmp_path / f"block.{suffix}")
    assert path.read_bytes().startswith(head)


def test_a_png_shows_what_the_picture_holds(tmp_path):
    import numpy as np
    from PIL import Image

    drawing = draw(nn.Linear(3, 2), torch.ones(4, 3), path=tmp_path / "linear.png")
    pixels = np.asarray(Image.open(tmp_path / "linear.png").convert("RGB")).astype(int)
    scene = drawing.scene()
    assert pixels.shape[:2] == pytest.approx((2 * scene.height, 2 * scene.width), abs=1)
    blue = (abs(pixels - [0x0B, 0x3D, 0x91]).sum(-1) < 30).sum()
    assert blue > 200


def test_unwritable_names_are_refused_before_the_work(tmp_path):
    with pytest.raises(ValueError, match="not as x.bmp"):
        draw(nn.Linear(3, 2), torch.ones(4, 3), path=tmp_path / "x.bmp")
    with pytest.raises(ValueError, match="theme"):
        DrawConfig(theme="blue")


def test_a_page_needs_nothing_else_and_tells_of_each_symbol(diagrams):
    import json

    from circuit_diagrams.cost import cost

    diagram = diagrams["multi-head-attention"]
    drawing = Drawing(diagram)
    from circuit_diagrams.page import to_html

    page = to_html(diagram, drawing.layout())
    assert not re.findall(r"(?:src|href)=", page)
    told = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(told) == len(drawing.layout().view.cells)
    assert "einsum" in " ".join(told)
    assert f"{cost(diagram).macs:,} multiply-adds" in page


def test_names_from_strangers_are_only_text(tmp_path):
    from dataclasses import replace

    name = '<script>alert(1)</script>" & \x00'
    diagram = replace(trace(nn.Linear(3, 2), torch.ones(4, 3)), name=name)
    text = Drawing(diagram).svg
    ET.fromstring(text)
    assert "<script>" not in text
    from circuit_diagrams.page import to_html

    assert "<script>alert" not in to_html(diagram, Drawing(diagram).layout())
