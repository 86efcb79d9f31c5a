"""Operators of the user's own, with a signature in letters."""

import pytest
import torch
from torch import nn

from circuit_diagrams import Drawing, check, check_broadcasts, cost, register, trace
from circuit_diagrams.execution import run
from circuit_diagrams.verification import is_linear


@torch.library.custom_op("circuit_letters::project", mutates_args=())
def project(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (x @ weight.T).cumsum(-1)


@project.register_fake
def _(x, weight):
    return x.new_empty((*x.shape[:-1], weight.shape[0]))


@torch.library.custom_op("circuit_letters::align", mutates_args=())
def align(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    return torch.einsum("btd,bsd->bts", q, k).softmax(-1)


@align.register_fake
def _(q, k):
    return q.new_empty((*q.shape[:-1], k.shape[-2]))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 4))

    def forward(self, q, k):
        return align(project(q, self.weight), project(k, self.weight))


def test_a_signature_in_letters_gives_axes_broadcasts_costs_and_a_picture():
    q, k = (torch.randn(2, n, 4, dtype=torch.float64) for n in (3, 7))
    module = Net().double()
    with pytest.warns(UserWarning, match="closed box"):
        assert {op.kind for op in trace(module, q, k).ops} == {"opaque"}
    register("circuit_letters::project", "* i, O I -> * O", cost="* i O", kind="linear")
    register(
        torch.ops.circuit_letters.align.default, "* t d, * s d -> * t s", cost=lambda op: 2 * op.outputs[0].axes[0].size
    )
    diagram = trace(module, q, k, axes={"q": "b t m", "k": "b s m"})
    assert check(diagram, module, q, k) < 1e-12
    one, two, scores = diagram.ops
    # Definition 2.14, on what the operator computes: samples and tokens pass, features do not.
    report = check_broadcasts(diagram, q, k)
    assert report.wrong == ()
    assert [[x.axis.label for x in op.broadcast] for op in (one, two, scores)] == [["b", "t"], ["b", "s"], ["b"]]
    assert [axis.label for axis in diagram.outputs[0].axes] == ["b", "t", "s"]
    assert one.inputs[0].axes[2] == one.parameters[0].axes[1]
    known = run(diagram, q, k, keeps_all=True)
    assert one.kind == "linear"
    assert is_linear(one, known, torch.Generator().manual_seed(0))
    assert [row.macs for row in cost(diagram).rows] == [2 * 3 * 4 * 5, 2 * 7 * 4 * 5, 2 * 2]
    picture = Drawing(diagram).svg
    assert picture.count("learned") >= 2
    assert 'class="cell linear"' in picture


def test_a_signature_that_does_not_fit_says_so_and_the_operator_stays_a_closed_box():
    register("circuit_letters::project", "* i, O i j -> * O")
    with pytest.warns(UserWarning, match="closed box: O i j of .* has 3 axes, but the tensor has 2"):
        diagram = trace(Net(), torch.randn(2, 3, 4), torch.randn(2, 3, 4))
    assert diagram.ops[0].kind == "opaque"


@pytest.mark.parametrize(
    ("signature", "cost", "message"),
    [
        ("* i", None, "one arrow"),
        ("* i -> * o -> p", None, "one arrow"),
        ("i i -> i", None, "an axis twice"),
        ("*i -> * i", None, "no name of an axis"),
        ("i -> * i", None, "no \\* on the left"),
        ("* i, O I -> * O", "* j", "no axis of the inputs"),
        ("* i, O I -> * O", "i +", "a cost is written"),
        (lambda call: None, "i", "signature in letters"),
    ],
)
def test_what_is_no_signature_is_refused(signature, cost, message):
    with pytest.raises(ValueError, match=message):
        register("circuit_letters::other", signature, cost=cost)
