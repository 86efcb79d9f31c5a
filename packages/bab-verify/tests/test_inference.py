"""Inference in single precision: what it may add to a network's outputs is left room for, where that is asked for."""

import pytest
import torch
from torch import nn

from bab_verify import Clause, NetworkError, Query, Specification, Verifier, VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.rounding import sound_minimum
from bab_verify.frontends.torch_modules import graph_from_module
from bab_verify.intervals import Interval
from bab_verify.rewriting.fusion import fuse

CONFIG = {"device": "cpu", "attack_restarts": 0, "timeout": 20.0, "max_domains": 200}


def difference(threshold, gain=1.1 * 2.0**20):
    """g relu(a x) - g relu(b x) <= threshold over [1, 2], where a and b differ in the last place: 0.1375 x, about."""
    module = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1 + 2.0**-23], [1.0]]))
        module[2].weight.copy_(torch.tensor([[gain, -gain]]))
    clause = Clause(torch.ones(1, 1), torch.tensor([threshold]))
    return module, Specification((Query(torch.tensor([1.0]), torch.tensor([2.0]), (clause,)),))


@pytest.mark.parametrize("branching", ["input", "bbps"])
def test_what_single_precision_loses_is_unsat_of_real_arithmetic_alone(branching):
    module, specification = difference(0.13)
    example = torch.ones(1, 1)
    found = {
        name: Verifier(module, VerifyConfig(**CONFIG, branching=branching, inference=name), example=example)
        .verify(specification)
        .status
        for name in ("real", "float32")
    }
    assert found == {"real": "unsat", "float32": "unknown"}
    x = torch.linspace(1, 2, 1001)[:, None]
    assert (module(x) <= 0.13).any(), "the network in single precision does violate it"


def test_a_margin_beyond_the_error_of_inference_is_unsat_of_it_too():
    module, specification = difference(-10.0)
    verifier = Verifier(module, VerifyConfig(**CONFIG, inference="float32"), example=torch.ones(1, 1))
    found = verifier.verify(specification)
    assert found.status == "unsat"
    assert found.margin > 0
    assert found.error_bound > 0.1


def network(kind, seed):
    torch.manual_seed(seed)
    layers = {
        "relu": (nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3)),
        "smooth": (nn.Linear(6, 40), nn.Sigmoid(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3)),
        "images": (
            nn.Unflatten(1, (1, 2, 3)),
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AvgPool2d((2, 1)),
            nn.Flatten(),
            nn.Linear(24, 3),
        ),
    }[kind]
    module = nn.Sequential(*layers).eval()
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            # Mean and shift cancel, nearly.
            one.running_mean.uniform_(-300, 300)
            one.running_var.uniform_(0.01, 10)
            one.bias.data = (one.running_mean / (one.running_var + one.eps).sqrt() * one.weight).detach()
    return module


def permuted_sum(terms, generator):
    """A sum in single precision, in a random order, one after the other."""
    order = torch.randperm(terms.shape[-1], generator=generator)
    return terms[..., order].cumsum(-1, dtype=torch.float32)[..., -1]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", ["relu", "smooth", "images"])
def test_bounds_enclose_what_is_computed_in_single_precision(kind, fused):
    for seed in range(5):
        module = network(kind, seed)
        graph = graph_from_module(module, torch.zeros(1, 6)).double()
        graph.inference = torch.float32
        graph = fuse(graph) if fused else graph
        x = 100 * torch.randn(1, 6, generator=torch.Generator().manual_seed(seed))
        box = Interval(x.double(), x.double())
        propagator = Propagator(graph)
        with torch.no_grad():
            bounds, planes = propagator.crown(box)
            output = bounds[len(graph.nodes) - 1]
            c = torch.eye(3, dtype=torch.float64)
            linear = propagator.backward(len(graph.nodes) - 1, torch.cat([c, -c])[None], planes)
            least = sound_minimum(linear, box)[0]
            y = module(x)[0].double()
        assert (output.lower.flatten() <= y).all()
        assert (y <= output.upper.flatten()).all()
        assert (least[:3] <= y).all()
        assert (y <= -least[3:]).all()
        width = -least[3:] - least[:3]
        assert (width < 0.02 * (1 + y.abs())).all(), "and say something"


def test_any_order_of_summation_is_covered():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(1, 2000, generator=generator) * 10.0 ** torch.randn(1, 2000, generator=generator)
    module = nn.Sequential(nn.Linear(2000, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        module[0].weight.copy_(weight.abs())
    graph = graph_from_module(module, torch.zeros(1, 2000)).double()
    graph.inference = torch.float32
    x = torch.ones(1, 2000, dtype=torch.float64)
    found = Propagator(graph).intervals(Interval(x, x))[len(graph.nodes) - 1]
    for _ in range(20):
        y = permuted_sum(weight.abs()[0], generator).double()
        assert found.lower.item() <= y <= found.upper.item()


def test_operations_that_are_not_accounted_for_are_named():
    module = nn.Sequential(nn.Linear(2, 2), nn.Softmax(1), nn.GELU())
    with pytest.raises(NetworkError, match=r"Exp, Gelu, .*take --inference real"):
        Verifier(module, VerifyConfig(inference="float32"), example=torch.zeros(1, 2))
