"""The commands on a user's own network, weights and data."""

import csv
import json

import numpy as np
import pytest
import torch
from convergent_learning_shell import call
from safetensors.torch import load_file, save_file

from separata.testing import contents

OWN = """
import torch
from torch import nn
from torch.nn import functional


class Own(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.second, self.out = nn.Linear(width * 16, 12), nn.Linear(12, 3)

    def forward(self, x):
        x = functional.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        return self.out(torch.relu(self.second(x.flatten(1))))


def vectors():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


number = 3
"""
BASE = ("--arch", "own_net:Own", "--data", "x.npy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network of the user's, weights of two, inputs, and the order in which the second has the first's units."""
    place = tmp_path_factory.mktemp("own")
    (place / "own_net.py").write_text(OWN)
    namespace = {}
    exec(OWN, namespace)
    torch.manual_seed(0)
    net = namespace["Own"]().eval()
    state = net.state_dict()
    save_file(state, place / "a.safetensors")
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    other = {name: one.clone() for name, one in state.items()}
    for name in ("first.weight", "first.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"):
        other[name] = state[name][order].clone()
    other["second.weight"] = state["second.weight"].view(12, 8, 16)[:, order].reshape(12, 128).clone()
    save_file(other, place / "b.safetensors")
    torch.save(other, place / "b.pt")
    np.save(place / "x.npy", np.random.default_rng(0).normal(size=(300, 1, 8, 8)).astype(np.float32))
    return place, order


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder[0])
    return folder


def test_statistics_of_a_users_networks_find_the_planted_order(here, tmp_path):
    _, order = here
    stats = tmp_path / "stats.npz"
    code, out, _ = call("collect", "a.safetensors", "b.pt", *BASE, "--layers", "norm,second", "--after", "relu",
                        "--keep", "500", "--out", stats, "--json")  # fmt: skip
    assert code == 0
    assert [row["units"] for row in json.loads(out)["layers"]] == [[8, 8], [12, 12]]
    for by in ("correlation", "mutual-information"):
        table, figure = tmp_path / f"{by}.csv", tmp_path / f"{by}.svg"
        code, out, _ = call("match", stats, "--layer", "norm", "--by", by, "--out", table, "--plot", figure, "--json")
        value = json.loads(out)
        assert (code, value["overlap"]) == (0, 1)
        partners = {row["unit"]: row["bipartite_partner"] for row in value["units"]}
        assert [partners[unit] for unit in range(8)] == torch.argsort(order).tolist()
        rows = list(csv.DictReader(table.open()))
        assert {int(row["unit"]): int(row["semi_partner"]) for row in rows} == partners
        assert "<svg" in figure.read_text()
    text = call("match", stats, "--layer", "norm").out
    assert "bipartite matching 1.000" in text
    code, out, _ = call("match", stats, "--layer", "norm", "--method", "bipartite", "--plot", tmp_path / "m.png")
    assert code == 0
    assert (tmp_path / "m.png").stat().st_size > 1000
    code, out, _ = call("sparse", stats, "--layer", "norm", "--lambdas", "0.1,0", "--out", tmp_path / "s.csv", "--plot",
                        tmp_path / "s.svg", "--json")  # fmt: skip
    path = json.loads(out)["path"]
    assert path[1]["r2"] == pytest.approx(1, abs=1e-4)
    assert path[0]["units"] == pytest.approx(1, abs=0.01)
    assert path[0]["r2"] == pytest.approx(0.99, abs=1e-3)
    assert len(list(csv.DictReader((tmp_path / "s.csv").open()))) == 16
    for method in ("spectral", "agglomerative"):
        code, out, _ = call("cluster", stats, "--layer", "norm", "--k", "8", "--method", method, "--plot",
                            tmp_path / f"{method}.svg", "--json")  # fmt: skip
        value = json.loads(out)
        assert value["mixed_fraction"] == 1
        pairs = {row["a"][0]: row["b"][0] for row in value["clusters"] if len(row["a"]) == 1}
        assert all(order[partner] == unit for unit, partner in pairs.items())
        assert len(pairs) >= 6


def test_alignment_restores_the_weights_and_averages_them(here, tmp_path):
    place, _ = here
    files = ("--out", tmp_path / "aligned.safetensors", "--average", tmp_path / "average.safetensors")
    code, out, _ = call("align", "a.safetensors", "b.safetensors", *BASE, *files, "--json")
    assert code == 0
    value = json.loads(out)
    assert value["largest_change"] < 1e-5
    assert value["fixed"] == {"out": "its units are the network's outputs"}
    wanted, found = load_file(place / "a.safetensors"), load_file(tmp_path / "aligned.safetensors")
    assert wanted.keys() == found.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor)
    merged = load_file(tmp_path / "average.safetensors")
    torch.testing.assert_close(merged["second.weight"], wanted["second.weight"])
    assert not torch.equal(merged["norm.running_mean"], wanted["norm.running_mean"])


def test_one_sample_more_than_a_batch_can_be_averaged_through_batchnorm(here, tmp_path):
    nn = torch.nn
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    weights, merged = tmp_path / "n.safetensors", tmp_path / "m.safetensors"
    save_file(net.state_dict(), weights)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(257, 3)))
    options = ("--arch", "own_net:vectors", "--data", tmp_path / "x.npy", "--out", tmp_path / "o.safetensors")
    assert call("align", weights, weights, *options, "--average", merged).code == 0
    torch.testing.assert_close(load_file(merged)["0.weight"], net[0].weight.detach())


def test_named_networks_and_labeled_data(tmp_path):
    from convergent_learning import make_network

    for seed, name in enumerate(("a", "b")):
        save_file(make_network(seed, size=8).state_dict(), tmp_path / f"{name}.safetensors")
    named = ("--arch", "small-convnet", "--arch-args", '{"size": 8}', "--data", "digits")
    nets = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    files = ("--out", tmp_path / "c.safetensors", "--average", tmp_path / "d.safetensors")
    code, out, _ = call("align", *nets, *named, "--limit", "200", *files, "--json")
    assert code == 0
    assert json.loads(out)["average"]["accuracy"].keys() == {"a", "b", "aligned", "unaligned"}
    code, out, _ = call(
        "collect", *nets, *named, "--layers", "relu1", "--max-positions", "5", "--out", tmp_path / "s.npz"
    )
    assert code == 0
    assert "relu1: 16 units" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layers", "frist", "--out", "s.npz"), "near names are first"),
        (("--layers", "first", "--out", "s.csv"), "written as .npz"),
        (("--layers", "first", "--out", "s.npz", "--arch", "own_net:Other"), "cannot be imported"),
        (("--layers", "first", "--out", "s.npz", "--arch", "own_net"), "module:name"),
        (("--layers", "first", "--out", "s.npz", "--arch", "own_net:number"), "is a int"),
        (("--layers", "first", "--out", "s.npz", "--arch", "builtins:dict"), "not a torch.nn.Module"),
        (("--layers", "first", "--out", "s.npz", "--arch-args", "{"), "JSON object"),
        (("--layers", "first", "--out", "s.npz", "--arch-args", '{"depth": 2}'), "made no network"),
        (("--layers", "first", "--out", "s.npz", "--arch-args", '{"width": 4}'), "does not fit own_net:Own"),
        (("--layers", "first", "--out", "s.npz", "--data", "nan.npy"), "NaN or infinite"),
        (("--layers", "first", "--out", "s.npz", "--data", "flat.npy"), "does not take samples"),
        (("--layers", "first", "--out", "s.npz", "--data", "none.npy"), "there is no file"),
        (("--layers", "first", "--out", "s.npz", "--limit", "0"), "at least 1"),
    ],
)
def test_a_collection_that_cannot_be_costs_one_line(here, tmp_path, arguments, message):
    place, _ = here
    np.save(place / "nan.npy", np.full((4, 1, 8, 8), np.nan))
    np.save(place / "flat.npy", np.zeros((4, 5)))
    before = contents(place).keys()
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    options = {"--arch": "own_net:Own", "--data": "x.npy"} | given
    options["--out"] = tmp_path / options["--out"]
    call("collect", "a.safetensors", "b.safetensors", *(x for one in options.items() for x in one)).assert_refused(
        message
    )
    assert not contents(tmp_path)
    assert {name for name in contents(place).keys() - before if "pycache" not in str(name)} == set()


def test_bad_weights_cost_one_line(here, tmp_path):
    place, _ = here
    (tmp_path / "text.safetensors").write_text("no tensors")
    torch.save({"net": torch.nn.Linear(1, 1)}, tmp_path / "pickle.pt")
    torch.save({1: torch.zeros(1)}, tmp_path / "numbers.pt")
    state = load_file(place / "a.safetensors")
    save_file(state | {"first.bias": state["first.bias"] * float("nan")}, tmp_path / "nan.safetensors")
    before = contents(tmp_path).keys()
    for name, message in [
        ("text.safetensors", "text.safetensors"),
        ("pickle.pt", "nothing but tensors"),
        ("numbers.pt", "names and tensors"),
        ("nan.safetensors", "first.bias is NaN"),
        ("none.safetensors", "none.safetensors"),
        ("none.pt", "there is no file"),
    ]:
        call("align", "a.safetensors", tmp_path / name, *BASE, "--out", tmp_path / "o.safetensors").assert_refused(
            message
        )
    call("align", "a.safetensors", "b.safetensors", *BASE, "--out", tmp_path / "o.npz").assert_refused(
        "as .safetensors"
    )
    assert contents(tmp_path).keys() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("match", "--layer", "second"), "no statistics of a layer 'second', only of norm"),
        (("match", "--layer", "norm", "--by", "mutual-information"), "--keep"),
        (("match", "--layer", "norm", "--nets", "0", "2"), "no network 2"),
        (("match", "--layer", "norm", "--plot", "x.txt"), ".svg"),
        (("sparse", "--layer", "norm", "--lambdas=-1"), "at least 0"),
        (("sparse", "--layer", "norm", "--lambdas", "0:1:5"), "from:to:n"),
        (("cluster", "--layer", "norm", "--k", "17"), "1 to 16 clusters, not 17"),
    ],
)
def test_questions_that_statistics_cannot_answer_cost_one_line(here, tmp_path, arguments, message):
    call(
        "collect",
        "a.safetensors",
        "b.safetensors",
        *BASE,
        "--layers",
        "norm",
        "--limit",
        "50",
        "--out",
        tmp_path / "s.npz",
    )
    call(arguments[0], tmp_path / "s.npz", *arguments[1:]).assert_refused(message)
    assert contents(tmp_path).keys() == {"s.npz"}
    call(arguments[0], "x.npy", *arguments[1:3]).assert_refused("x.npy")
