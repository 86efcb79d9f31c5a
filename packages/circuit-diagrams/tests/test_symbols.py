"""Sizes and costs as polynomials, against PyTorch's counter and the module itself at other sizes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from circuit_diagrams import GALLERY, Drawing, check, cost, cost_polynomials, parse, to_text, trace
from circuit_diagrams.measurement import counted_flops

SIZES = {
    "multi-head-attention": [{"y": 1, "x": 9}, {"y": 33, "x": 7}, {"y": 22, "x": 22}],
    "identity-block": [{"b": 1, "h": 5}, {"b": 7, "h": 9}, {"b": 4, "h": 32}],
}


@pytest.mark.parametrize("name", SIZES)
def test_costs_and_results_at_other_sizes_are_those_of_the_module(name):
    torch.manual_seed(0)
    entry = GALLERY[name]
    module = entry.make().eval()
    axes = {"x": "b c h 8"} if name == "identity-block" else entry.axes
    diagram = trace(module, *entry.inputs(torch.Generator().manual_seed(0)), axes=axes, symbolic=True)
    macs = cost_polynomials(diagram).macs
    for sizes in SIZES[name]:
        at = diagram.at(**sizes)
        inputs = [torch.randn(a.shape) for a in at.inputs]
        assert cost(diagram, **sizes).flops == counted_flops(module, *inputs) == 2 * macs(**sizes)
        assert check(at, module, *inputs) < 1e-5
        assert cost(diagram, **sizes).peak_bytes == cost(trace(module, *inputs)).peak_bytes


def test_polynomials_are_those_worked_out_by_hand():
    m, k, h = 128, 16, 4
    attention = GALLERY["multi-head-attention"]
    diagram = trace(attention.make(), torch.randn(20, m), torch.randn(22, m), axes=attention.axes, symbolic=True)
    found = cost_polynomials(diagram).macs
    assert found.terms == {(1, 1): 2 * k * h, (1, 0): 2 * m * k * h, (0, 1): 2 * m * k * h}
    assert str(found.leading()) == "128 y x"
    assert diagram.symbols.fixed == ("m",)
    with pytest.raises(ValueError, match="does not let m vary"):
        diagram.at(m=64)
    with pytest.raises(ValueError, match="no size z"):
        cost(diagram, z=3)


def test_equal_sizes_do_not_hide_which_axis_is_which():
    attention = GALLERY["attention"]
    x = torch.randn(6, 6, 6)
    axes = {"q": "y k 6", "k": "x k 6", "v": "x k 6"}
    diagram = trace(attention.make(), x, x, x, axes=axes, symbolic=True)
    assert str(cost_polynomials(diagram).macs) == "12 y k x"
    # The scale is the square root of a size, which is no polynomial: costs are known, results are not.
    assert not diagram.symbols.is_exact
    assert check(diagram, attention.make(), x, x, x) < 1e-6
    with pytest.raises(ValueError, match="no number is known"):
        diagram.at(k=8)(torch.randn(6, 8, 6), torch.randn(6, 8, 6), torch.randn(6, 8, 6))


class Halving(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)

    def forward(self, x):
        y = F.max_pool1d(self.conv(x), 2)
        return torch.cat([y, y.flip(-1)], -1).flatten(1)


def test_sizes_are_written_on_wires_and_hold_in_steps():
    module = Halving()
    diagram = trace(module, torch.randn(4, 2, 16), axes={"x": "b c t"}, symbolic=True)
    assert diagram.symbols.steps == {"b": 1, "t": 2}
    assert [axis.label for axis in diagram.outputs[0].axes] == ["b", "3 t - 6"]
    assert "3 t - 6=42" in Drawing(diagram).svg
    assert diagram.at(t=100).outputs[0].shape == tuple(module(torch.randn(4, 2, 100)).shape) == (4, 294)
    with pytest.raises(ValueError, match="t may be 2, 4, ..., not 15"):
        diagram.at(t=15)
    assert parse(to_text(diagram)) is not None


def test_what_has_no_symbols_says_why():
    x = torch.randn(2, 4)
    with pytest.raises(ValueError, match="names of axes"):
        trace(nn.Linear(4, 3), x, symbolic=True)
    with pytest.raises(ValueError, match="does not let c vary"):
        trace(nn.Linear(4, 3), torch.randn(4), axes={"input": "c"}, symbolic=True)
    with pytest.raises(ValueError, match="symbolic=True"):
        cost(trace(nn.Linear(4, 3), x), b=3)

    def jumping(x):
        return x.relu() if x.shape[0] % 3 else x.neg()

    with pytest.raises(ValueError, match="something else"):
        trace(jumping, x, axes={"x": "b c"}, symbolic=True)

    def roots(x):
        return x[: int(x.shape[0] ** 0.5)]

    with pytest.raises(ValueError, match="no polynomials in n"):
        trace(roots, torch.randn(9), axes={"x": "n"}, symbolic=True)
