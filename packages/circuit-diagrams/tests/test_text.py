"""The text language: what it computes, and where it says that something is wrong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from circuit_diagrams import TextError, load, parse, save, to_text, trace
from circuit_diagrams.sources import with_random_values

ATTENTION = """diagram "attention"   # a comment
size y=5, x=6, m=8, k=4, h=2
input Y: y m {float64}
input X: x m {float64}
parameter w: k h m {float64}
q: y k h = einsum("y m, k h m -> y k h", Y, w)
k: x k h = einsum("x m, k h m -> x k h", X, w)
s: y x h = einsum("y k h, x k h -> y x h", q, k); t = mul(s, 0.5)
a: y x h = softmax[x](t)
o: y k h = einsum("y x h, x k h -> y k h", a, k)
return o
"""


def test_a_text_computes_attention():
    diagram = with_random_values(parse(ATTENTION))
    (w,) = diagram.values.values()
    y, x = torch.randn(5, 8, dtype=torch.float64), torch.randn(6, 8, dtype=torch.float64)
    q, k = torch.tensordot(y, w, ([1], [2])), torch.tensordot(x, w, ([1], [2]))
    heads = [torch.softmax(q[:, :, i] @ k[:, :, i].T / 2, 1) @ k[:, :, i] for i in range(2)]
    torch.testing.assert_close(diagram(y, x), torch.stack(heads, -1))
    assert parse(to_text(diagram)) == diagram


def test_linear_brings_its_own_weights_over_any_axes():
    diagram = parse(
        "size b=2, c=3, x=4, d=5\ninput u: b c x\nv: b d x = linear[c -> d](u)\nw: b d x = linear[d -> d](v)\nreturn w"
    )
    assert [a.name for a in diagram.parameters] == ["v.weight", "w.weight"]
    filled = with_random_values(diagram)
    u = torch.randn(2, 3, 4)
    first, second = filled.values.values()
    torch.testing.assert_close(filled(u), torch.einsum("bcx,dc,ed->bex", u, first, second))


def test_several_outputs_and_modules():
    diagram = parse('module "a" Block\ninput x: 4 6\nu, v = aten.chunk.default(x, 2, 1) @ "a.b"\nreturn u, v')
    x = torch.randn(4, 6)
    assert [t.shape for t in diagram(x)] == [(4, 3), (4, 3)]
    assert diagram.ops[0].region == ("a", "b")
    assert parse(to_text(diagram)) == diagram


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("input x: b=2\ny = relu(z)\nreturn y", 2, 10, "there is no z"),
        ("input x: b=2 k=3\ninput y: k=4\nreturn x", 2, 10, "k=4 meets k=3"),
        ('input q: y=2 k=16\ninput c: x=3 j=8\ns = einsum("y k, x k -> y x", q, c)\nreturn s', 3, 5, "k=16 meets k=8"),
        ("input x: b=2\ny = relu x\nreturn y", 2, 10, "expected .\\('"),
        ("input x: b\nreturn x", 1, 10, "size of b is not known"),
        ("input x: b=2\ny = what(x)\nreturn y", 2, 5, "is not called like this"),
        ("input x: b=2\ny: b c=3 = relu(x)\nreturn y", 2, 1, "2 axes but has 1"),
        ("input x: b=2\ny: b=3 = relu(x)\nreturn y", 2, 4, "b=3 meets b=2"),
        ("input x: b=2\nx = relu(x)\nreturn x", 2, 1, "there already"),
        ("input x: b=2\n", 2, 1, "returns nothing"),
        ("input x: b=2 ?\nreturn x", 1, 14, "no place here"),
        ("input x: b=2 {int99}\nreturn x", 1, 7, "no type int99"),
        ("input x: b=2\ny = aten.nothing.default(x)\nreturn y", 2, 5, "no operator"),
        ('input x: b=2\ny = aten.from_file.default("a")\nreturn y', 2, 5, "no operator"),
        ("input x: b=2\ny = aten.mm.default(x, x)\nreturn y", 2, 5, "refuses its arguments"),
        ("input x: b=2\ny = softmax[c](x)\nreturn y", 2, 5, "no axis c"),
        ("input x: b=2\ny, z = relu(x)\nreturn y", 2, 8, "gives 1 arrays, not 2"),
        ("input x: b=2\ny = aten.add.Tensor(x, x, alpha=1, alpha=2)\nreturn y", 2, 36, "given twice"),
    ],
)
def test_errors_have_a_line_and_a_column(text, line, column, message):
    with pytest.raises(TextError, match=message) as found:
        parse(text)
    assert (found.value.line, found.value.column) == (line, column)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='abxy=:()[]{}"\n,;->.1 @#einputreturnrelu', max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text):
    try:
        parse(text)
    except TextError as error:
        assert error.line >= 1
        assert error.column >= 1


def test_what_is_saved_is_loaded_with_its_weights(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).eval()
    x = torch.randn(5, 3)
    diagram = trace(module, x)
    for name in ("net.json", "net.txt"):
        save(diagram, tmp_path / name)
        torch.testing.assert_close(load(tmp_path / name)(x), module(x))
    (tmp_path / "net.safetensors").unlink()
    with pytest.raises(ValueError, match=r"0\.weight"):
        load(tmp_path / "net.json")(x)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.json")
    with pytest.raises(ValueError, match="saved as"):
        save(diagram, tmp_path / "net.svg")
