import pytest
import torch
from torch import nn

import bab_verify
from bab_verify import Graph, Oracle, VerifyConfig, certified_radius, compute_bounds, make_robustness, verify_robustness
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Node
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu

METHODS = ("ibp", "crown", "alpha-crown")


def toy(dtype=torch.float32):
    """y = relu(x1 - x2) - relu(2 x1 - x2)."""
    first, second = torch.tensor([[1.0, -1.0], [2.0, -1.0]], dtype=dtype), torch.tensor([[1.0, -1.0]], dtype=dtype)
    return Graph(
        [
            Node(None, (), (2,)),
            Node(Dense(first, None, (2,)), (0,), (2,)),
            Node(Relu(), (1,), (2,)),
            Node(Dense(second, None, (2,)), (2,), (1,)),
        ]
    )


BOX = torch.tensor([[-1.0, -2.0]]), torch.tensor([[2.0, 1.0]])


@pytest.fixture(scope="module")
def smooth():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))


def linear_classifier():
    """Two classes apart by w x + 0.3 >= 0, with w = (1, -2, 0.5)."""
    module = nn.Linear(3, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]))
        module.bias.copy_(torch.tensor([0.3, 0.0]))
    return module


def test_bounds_of_the_toy_network_are_those_found_by_hand():
    ibp = compute_bounds(toy(), *BOX, method="ibp")
    assert [x.item() for x in ibp] == pytest.approx([-6, 4], abs=1e-5)
    crown = compute_bounds(toy(), *BOX, method="crown")
    assert [x.item() for x in crown] == pytest.approx([-3, 3], abs=1e-5)
    alpha = compute_bounds(toy(), *BOX)
    assert -3 - 1e-5 <= alpha.lower.item() <= -2
    assert 1 <= alpha.upper.item() <= 3 + 1e-5
    assert alpha.upper.item() - alpha.lower.item() < 5.5


@pytest.mark.parametrize("method", METHODS)
def test_samples_are_within_the_bounds_of_a_module(smooth, method):
    torch.manual_seed(1)
    center = torch.randn(4, 2, 3)
    radius = torch.rand(4, 2, 3) * 0.3
    C = torch.randn(4, 5, 3)
    lower, upper = compute_bounds(smooth, center - radius, center + radius, C, method)
    assert lower.shape == upper.shape == (4, 5)
    assert lower.dtype == torch.float32
    x = center + radius * (2 * torch.rand(2000, 4, 2, 3) - 1)
    with torch.no_grad():
        y = torch.einsum("bro,sbo->sbr", C, smooth(x.flatten(0, 1)).unflatten(0, (2000, 4)))
    assert (y >= lower - 1e-5).all()
    assert (y <= upper + 1e-5).all()


def test_each_method_is_at_least_as_tight_as_the_one_before(smooth):
    x = torch.linspace(-1, 1, 6).reshape(1, 2, 3)
    found = [compute_bounds(smooth, x - 0.2, x + 0.2, method=method) for method in METHODS]
    for loose, tight in zip(found, found[1:]):
        assert (tight.lower >= loose.lower - 1e-6).all()
        assert (tight.upper <= loose.upper + 1e-6).all()
    assert ((found[2].upper - found[2].lower) < (found[0].upper - found[0].lower)).all()


@pytest.mark.parametrize("method", METHODS[1:])
def test_linear_bounds_enclose_the_network(smooth, method):
    x = torch.linspace(-1, 1, 6).reshape(1, 2, 3)
    bounds, linear = compute_bounds(smooth, x - 0.2, x + 0.2, method=method, return_linear=True)
    points = (x + 0.4 * torch.rand(1000, 2, 3) - 0.2).double()
    with torch.no_grad():
        y = smooth.double()(points)
    smooth.float()
    flat = points.flatten(1)
    below = flat @ linear.below.coefficients[0].T + linear.below.offset[0]
    above = flat @ linear.above.coefficients[0].T + linear.above.offset[0]
    assert (below <= y + 1e-9).all()
    assert (above >= y - 1e-9).all()
    box = bab_verify.Interval(*(b.flatten(1).double() for b in (x - 0.2, x + 0.2)))
    assert (linear.below.minimum(box) <= bounds.lower + 1e-5).all()


def test_a_point_has_its_value():
    graph = toy()
    x = torch.tensor([[0.5, -0.25]])
    lower, upper = compute_bounds(graph, x, x)
    assert lower.item() <= graph(x).item() <= upper.item()
    assert upper.item() - lower.item() < 1e-5
    assert graph.example().dtype == torch.float32


def test_a_graph_is_verified_and_stays_as_it_is():
    weight = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    graph = Graph([Node(None, (), (2,)), Node(Dense(weight, None, (2,)), (0,), (2,))])
    x = torch.tensor([0.5, 0.2])
    assert verify_robustness(graph, x, 0, 0.14).status == "unsat"
    assert verify_robustness(graph, x, 0, 0.16).status == "sat"
    assert graph.example().dtype == torch.float32
    with pytest.raises(ValueError, match="at least 2 outputs"):
        verify_robustness(toy(), x, 0, 0.1)


def test_a_module_of_another_type_than_the_image(smooth):
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)
    label = int(smooth(x.float()[None]).argmax())
    assert verify_robustness(smooth, x, label, 1e-4, clip=None).status == "unsat"
    assert compute_bounds(smooth, x[None], x[None], method="ibp").lower.dtype == torch.float64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "lp"}, "the method is one of ibp, crown, alpha-crown, not lp"),
        ({"method": "ibp", "return_linear": True}, "gives no linear bounds"),
        ({"x_hi": torch.zeros(1, 3)}, "have the shapes"),
        ({"x_lo": torch.zeros(1, 3), "x_hi": torch.zeros(1, 3)}, r"must be a batch of \[2\]"),
        ({"x_lo": torch.full((1, 2), 5.0)}, "above its upper bound|is above"),
        ({"x_lo": torch.full((1, 2), torch.nan)}, "NaN or infinite"),
        ({"C": torch.zeros(1, 4)}, r"C must be \(rows, 1\) or \(1, rows, 1\)"),
        ({"C": torch.full((1, 1), torch.inf)}, "C holds NaN or infinity"),
    ],
)
def test_what_cannot_be_bounded_is_refused(changes, message):
    arguments = {"x_lo": BOX[0], "x_hi": BOX[1], **changes}
    with pytest.raises(ValueError, match=message):
        compute_bounds(toy(), **arguments)


def test_the_radius_of_a_linear_classifier_is_its_margin_over_the_norm_of_its_weights():
    module, x = linear_classifier(), torch.tensor([0.5, 0.1, 0.4])
    exact = (0.5 - 0.2 + 0.2 + 0.3) / 3.5
    found = certified_radius(module, x, 0, max_eps=1.0, steps=7, clip=None)
    assert exact - 2 / 128 <= found <= exact
    assert certified_radius(module, x, 0, max_eps=0.1, clip=None) == 0.1
    assert certified_radius(module, x, 1, max_eps=1.0, steps=2, clip=None) == 0


def test_robustness_of_a_module_is_proven_or_refuted():
    module, x = linear_classifier(), torch.tensor([0.5, 0.1, 0.4])
    assert verify_robustness(module, x, 0, 0.22, clip=None).status == "unsat"
    result = verify_robustness(module, x, 0, 0.24, VerifyConfig(timeout=20), clip=None)
    assert result.status == "sat"
    found = result.counterexample
    assert ((found.x - x).abs() <= 0.24 + 1e-6).all()
    with torch.no_grad():
        y = module(found.x.float())
    assert y[0] <= y[1]
    # Limits of the input leave less room.
    assert verify_robustness(module, x, 0, 0.24, clip=(0.3, 0.6)).status == "unsat"


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="the image has 3 numbers, but the network takes 2"):
        verify_robustness(toy(), torch.zeros(3), 0, 0.1)
    with pytest.raises(ValueError, match="NaN"):
        verify_robustness(toy(), torch.tensor([torch.nan, 0]), 0, 0.1)
    with pytest.raises(ValueError, match="the label is 5"):
        verify_robustness(linear_classifier(), torch.zeros(3), 5, 0.1)
    for eps in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="must not be negative"):
            verify_robustness(linear_classifier(), torch.zeros(3), 0, eps)
    with pytest.raises(ValueError, match="largest radius"):
        certified_radius(linear_classifier(), torch.zeros(3), 0, 0.0)


def test_the_public_names_are_there():
    assert list(bab_verify.__all__) == sorted(bab_verify.__all__)
    assert all(getattr(bab_verify, name) for name in bab_verify.__all__)
    assert {"Verifier", "load_onnx", "load_vnnlib", "verify_robustness", "read_instances"} <= set(bab_verify.__all__)
    assert make_robustness(torch.zeros(3), 0, 0.1, 2).n_inputs == 3
    assert Oracle.__name__ == "Oracle"


@pytest.mark.parametrize(("seed", "peer"), [(0, 0.1897), (2, 0.2626), (7, 0.2378)])
def test_optimized_intervals_are_as_tight_as_a_peers_in_as_many_steps(seed, peer):
    """auto_LiRPA's CROWN-Optimized in 20 iterations: mean widths of the outputs, which it gave for these networks."""
    torch.manual_seed(seed)
    convolutions = (nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Flatten())
    module = nn.Sequential(*convolutions, nn.Linear(128, 50), nn.ReLU(), nn.Linear(50, 5)).eval()
    torch.manual_seed(100 + seed)
    x = torch.rand(1, 1, 16, 16)
    steps = OptimizationConfig(steps=20, alpha_lr=0.3)
    found = compute_bounds(module, x - 0.1, x + 0.1, config=steps)
    assert (found.upper - found.lower).mean() <= peer
