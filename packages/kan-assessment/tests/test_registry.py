"""Families by name, and models of one's own."""

import sys
from importlib.metadata import EntryPoint

import pytest
import torch
from torch import nn

from kan_assessment import ModelFamily, available_models, build, get_family, register_model
from kan_assessment.models import registry

OWN = [
    "mlp",
    "bspline_kan",
    "per_edge_kan",
    "bspline_mlp",
    "bspline_first_mlp",
    "rbf_kan",
    "chebyshev_kan",
    "fourier_kan",
    "wavelet_kan",
]


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))


@pytest.mark.parametrize("name", [*OWN, "af_kan", "s_kan"])
@pytest.mark.parametrize(("n_in", "hidden", "n_out"), [(12, [5], 3), (2, [4, 3], 1)])
def test_every_family_makes_networks_of_any_size_that_learn(name, n_in, hidden, n_out):
    torch.manual_seed(0)
    model = build(name, n_in, hidden, n_out)
    x = torch.rand(32, n_in) * 2 - 1
    y = model(x)
    assert y.shape == (32, n_out)
    assert y.isfinite().all()
    y.square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_settings_reach_the_model_and_unknown_ones_are_refused():
    assert build("bspline_kan", 3, [2], 1, grid=7, order=2, base="zero").layers[0].coefficients.shape == (2, 3, 9)
    assert build("bspline-kan", 3, [2], 1).grid == 5
    with pytest.raises(ValueError, match="no setting gird"):
        build("mlp", 3, [2], 1, gird=5)
    with pytest.raises(ValueError, match="module:factory"):
        build("kan", 3, [2], 1)


def make_scaled(in_features, hidden, out_features, *, scale=1.0):
    model = nn.Sequential(nn.Linear(in_features, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], out_features))
    with torch.no_grad():
        model[0].weight *= scale
    return model


def test_a_model_of_one_s_own_is_registered(registered):
    family = register_model("scaled", make_scaled, lambda widths, sharing, **_: 7.0, space={"scale": (1.0, 2.0)})
    assert isinstance(family, ModelFamily)
    assert "scaled" in available_models()
    assert family.usual == {"scale": 1.0, "depth": 1}
    assert build("scaled", 3, [4], 2, scale=3.0)(torch.zeros(5, 3)).shape == (5, 2)
    with pytest.raises(ValueError, match="already"):
        register_model("scaled", make_scaled)
    with pytest.raises(ValueError, match="colon"):
        register_model("my:model", make_scaled)


def test_a_factory_in_the_working_directory_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_layers.py").write_text(
        "from torch import nn\n"
        "def make(n_in, hidden, n_out, *, slope=0.1):\n"
        "    return nn.Sequential(nn.Linear(n_in, hidden[0]), nn.LeakyReLU(slope), nn.Linear(hidden[0], n_out))\n"
        "make.space = {'slope': (0.1, 0.3)}\n"
        "def wrong(n_in, hidden, n_out):\n"
        "    return nn.Linear(n_in, n_out + 1)\n"
        "def nothing(n_in, hidden, n_out):\n"
        "    return 3\n"
        "def other(n):\n"
        "    return nn.Linear(n, n)\n"
    )
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    try:
        assert build("my_layers:make", 4, [5], 2, slope=0.5)[1].negative_slope == 0.5
        assert get_family("my_layers:make").space == {"slope": (0.1, 0.3), "depth": (1, 2, 3)}
        for name, told in (
            ("wrong", r"gives \(3, 3\) for 3 samples, not \(3, 2\)"),
            ("nothing", "makes a int, not a torch.nn.Module"),
            ("other", "cannot be made from"),
            ("absent", "has no function absent"),
        ):
            with pytest.raises(ValueError, match=told):
                build(f"my_layers:{name}", 4, [5], 2)
        with pytest.raises(ValueError, match="cannot be imported"):
            build("not_there:make", 4, [5], 2)
    finally:
        sys.modules.pop("my_layers", None)
    assert sys.path == before


def test_what_takes_other_inputs_is_refused(registered):
    register_model("narrow", lambda n_in, hidden, n_out: nn.Linear(1, n_out))
    with pytest.raises(ValueError, match=r"does not take inputs of shape \(3, 4\)"):
        build("narrow", 4, [1], 2)


def test_entry_points_of_other_packages_are_found(monkeypatch):
    entry = EntryPoint("theirs", "kan_assessment.models.families:make_mlp", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == registry.GROUP else [])
    assert available_models()[-1] == "theirs"
    assert build("theirs", 3, [4], 2)(torch.zeros(1, 3)).shape == (1, 2)
