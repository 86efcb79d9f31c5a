"""The commands on files of the field, and every case of bad input."""

import json
import sys

import numpy as np
import pytest
import torch

from udc_solver.checkpoints import pack
from udc_solver.cli import main
from udc_solver.configs import ConquerorConfig, DividerConfig, SolverConfig
from udc_solver.evaluation import straight, tour_length
from udc_solver.problems import get_problem
from udc_solver.solver import make_solver, save

ALL = ["tsp", "atsp", "cvrp", "ovrp", "mtsp", "op", "pctsp", "spctsp", "kp", "mis"]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")

    def of(name):
        if not (folder / name).exists():
            config = SolverConfig(name, 8, DividerConfig(8, 2, n_neighbors=6), ConquerorConfig(16, 1, 16, 2))
            save(make_solver(config), folder / name)
        return str(folder / name)

    return of


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["udc-solver", *map(str, words)])
        capsys.readouterr()
        main()
        return capsys.readouterr().out

    return call


@pytest.fixture
def refused(run, capsys):
    def call(*words):
        with pytest.raises(SystemExit) as caught:
            run(*words)
        assert caught.value.code == 2
        message = capsys.readouterr().err.strip()
        assert message.startswith("udc-solver: error:")
        assert len(message.splitlines()) == 1
        return message

    return call


@pytest.mark.parametrize("name", ALL)
def test_generate_solve_check_improve(name, run, checkpoints, tmp_path):
    file, out = tmp_path / "instances.npz", tmp_path / "out.json"
    run("generate", name, "--n-nodes", 20, "--n", 2, "--seed", 3, "--out", file)
    options = ("--checkpoint", checkpoints(name), "--json")
    found = json.loads(run("solve", name, "--input", file, "--samples", 2, "--rounds", 2, "--out", out, *options))
    assert found["problem"] == name
    assert found["rounds"] == 2
    assert len(found["solutions"]) == len(found["objectives"]) == 2
    held = json.loads(out.read_text())
    assert held["solutions"] == found["solutions"]
    checked = json.loads(run("check", file, out, "--json"))
    assert checked == {"problem": name, "feasible": True, "objectives": held["objectives"]}
    better = tmp_path / "better.json"
    found = json.loads(
        run("improve", name, "--input", file, "--solution", out, "--rounds", 2, "--out", better, *options)
    )
    sign = -1 if get_problem(name).is_maximized else 1
    for row in found["instances"]:
        assert sign * row["objective"] <= sign * row["before"] + 1e-5
    assert json.loads(run("check", file, better, "--json"))["objectives"] == found["objectives"]


def test_tsplib_tour_and_picture(run, checkpoints, tmp_path):
    points = 1000 * np.random.default_rng(0).random((20, 2))
    rows = "\n".join(f"{i} {x} {y}" for i, (x, y) in enumerate(points, 1))
    file = tmp_path / "cities.tsp"
    file.write_text(
        f"NAME: cities\nTYPE: TSP\nDIMENSION: 20\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n{rows}\nEOF\n"
    )
    out, plot = tmp_path / "out.tour", tmp_path / "tour.svg"
    common = ("--checkpoint", checkpoints("tsp"), "--samples", 2, "--rounds", 2)
    text = run("solve", "tsp", "--input", file, *common, "--out", out, "--plot", plot)
    assert "2 rounds" in text
    assert "<svg" in plot.read_text()
    lines = out.read_text().split()
    tour = [int(word) - 1 for word in lines[lines.index("TOUR_SECTION") + 1 : -2]]
    length = json.loads(run("check", file, out, "--json"))["objectives"][0]
    # TSPLIB rounds each distance; the sum is near the exact one.
    assert length == int(length)
    assert length == pytest.approx(tour_length(straight(points), 20, tour), abs=10)
    matrix = json.loads(
        run("solve", "atsp", "--input", file, *common[2:], "--checkpoint", checkpoints("atsp"), "--json")
    )
    assert matrix["objectives"][0] == int(matrix["objectives"][0])


def test_vrp_routes_that_vrplib_reads(run, checkpoints, tmp_path):
    file, out = tmp_path / "small.vrp", tmp_path / "small.sol"
    run("generate", "cvrp", "--n-nodes", 20, "--out", file)
    common = ("--input", file, "--checkpoint", checkpoints("cvrp"), "--samples", 2, "--rounds", 2)
    found = json.loads(run("solve", "cvrp", *common, "--out", out, "--plot", tmp_path / "routes.png", "--json"))
    assert (tmp_path / "routes.png").stat().st_size > 1000
    assert json.loads(run("check", file, out, "--json"))["objectives"] == found["objectives"]
    vrplib = pytest.importorskip("vrplib", reason="vrplib is not installed")
    peer = vrplib.read_solution(out)
    assert peer["cost"] == pytest.approx(found["objectives"][0])
    assert sorted(place for route in peer["routes"] for place in route) == list(range(1, 21))


def test_graphs_and_cliques(run, checkpoints, tmp_path):
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    karate = networkx.karate_club_graph()
    file = tmp_path / "karate.edges"
    networkx.write_edgelist(karate, file, data=False)
    common = ("--input", file, "--checkpoint", checkpoints("mis"), "--samples", 4, "--rounds", 5, "--json")
    chosen = json.loads(run("solve", "mis", *common, "--plot", tmp_path / "graph.svg"))["solutions"][0]
    assert karate.subgraph(chosen).number_of_edges() == 0
    assert 14 <= len(chosen) <= 20
    clique = json.loads(run("solve", "mis", *common, "--complement"))["solutions"][0]
    assert karate.subgraph(clique).number_of_edges() == len(clique) * (len(clique) - 1) / 2


def test_points_of_numpy_and_salesmen(run, checkpoints, tmp_path):
    file = tmp_path / "points.npy"
    np.save(file, np.random.default_rng(0).random((20, 2)))
    common = ("--input", file, "--samples", 2, "--rounds", 1, "--json")
    found = json.loads(run("solve", "tsp", *common, "--checkpoint", checkpoints("tsp"), "--time-limit", 60))
    assert sorted(found["solutions"][0]) == list(range(20))
    routes = json.loads(run("solve", "mtsp", *common, "--salesmen", 3, "--checkpoint", checkpoints("mtsp")))
    assert len(routes["solutions"][0]) <= 3


@pytest.mark.parametrize("name", ALL)
def test_evaluate(name, run, checkpoints, tmp_path):
    plot = tmp_path / "quality.svg"
    words = ("--n-nodes", 20, "--n", 1, "--samples", 2, "--rounds", "0,1", "--seconds", 0.3, "--plot", plot, "--json")
    found = json.loads(run("evaluate", name, *words, "--checkpoint", checkpoints(name)))
    methods = [row["method"] for row in found["rows"]]
    assert methods[:2] == ["udc (2, 0)", "udc (2, 1)"]
    assert len(methods) >= 3
    assert min(row["gap_percent"] for row in found["rows"]) == 0
    assert all(row["seconds"] > 0 for row in found["rows"])
    assert plot.exists()


def test_evaluate_without_pyvrp(run, checkpoints, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvrp", None)
    words = ("--n-nodes", 20, "--n", 1, "--samples", 1, "--rounds", "0", "--baselines", "pyvrp,2-opt", "--json")
    found = json.loads(run("evaluate", "tsp", *words, "--checkpoint", checkpoints("tsp")))
    assert [row["method"] for row in found["rows"]] == ["udc (1, 0)", "2-opt"]


def test_packed_solvers(run, refused, tmp_path):
    words = ("train", "kp", "--sizes", 16, 16, "--n-steps", 1, "--n-samples", 2, "--n-starts", 2, "--window", 8)
    words += ("--units", 8, "--depth", 1, "--n-neighbors", 6, "--dim", 16, "--layers", 1, "--hidden", 16)
    run(*words, "--n-test", 1, "--out", tmp_path / "run")
    pack(tmp_path / "run", tmp_path / "kp.safetensors")
    run("generate", "kp", "--n-nodes", 20, "--out", tmp_path / "a.npz")
    common = ("--input", tmp_path / "a.npz", "--samples", 2, "--rounds", 2, "--json")
    found = json.loads(run("solve", "kp", *common, "--checkpoint", tmp_path / "kp.safetensors"))
    assert found["problem"] == "kp"
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((9, 2)))
    common = ("--input", tmp_path / "a.npy", "--checkpoint", tmp_path / "kp.safetensors")
    assert "of kp, not of tsp" in refused("solve", "tsp", *common)


def test_train_and_resume(run, refused, tmp_path):
    out = tmp_path / "run"
    words = ("train", "kp", "--sizes", 16, 24, "--n-steps", 2, "--n-samples", 2, "--n-starts", 2, "--window", 8)
    words += ("--units", 8, "--depth", 2, "--n-neighbors", 6, "--dim", 16, "--layers", 1, "--hidden", 16)
    found = json.loads(run(*words, "--n-test", 1, "--out", out, "--json"))
    assert found["conquered"] >= found["divided"]
    assert "already holds a training" in refused(*words, "--out", out)
    run(*words, "--out", out, "--resume")
    run("generate", "kp", "--n-nodes", 20, "--out", tmp_path / "a.npz")
    run("solve", "kp", "--input", tmp_path / "a.npz", "--checkpoint", out, "--rounds", 1)


BAD = {
    "missing": ("tsp", "none.npz", {}, "there is no file none.npz"),
    "format": ("op", "a.tsp", "x", "a.tsp: instances of op are read from .npz"),
    "nan": ("tsp", "a.npz", {"points": [[0, np.nan], [1, 1], [0, 1]]}, "not finite"),
    "few": ("tsp", "a.npz", {"points": [[0, 1], [1, 1]]}, "at least 3 points"),
    "array": ("tsp", "a.npz", {"cities": [[0, 1], [1, 1]]}, "a.npz has no array points"),
    "negative": ("atsp", "a.npz", {"costs": [[0, -1, 1], [1, 0, 1], [1, 1, 0]]}, "must not be negative"),
    "square": ("atsp", "a.npz", {"costs": [[0, 1, 1], [1, 0, 1]]}, "must be square"),
    "demand": (
        "cvrp",
        "a.npz",
        {"points": [[0, 0], [1, 1]], "demands": [0, 9], "capacity": 5},
        "demand 9 of customer 1 is above the capacity 5",
    ),
    "limit": ("op", "a.npz", {"points": [[0, 0], [1, 1]], "prizes": [0, 1], "limit": -1}, "must not be negative"),
    "prizes": (
        "pctsp",
        "a.npz",
        {"points": [[0, 0], [1, 1]], "prizes": [0, 0.5], "penalties": [0, 1], "minimum": 1},
        "add up to 0.5, but 1 must be collected",
    ),
    "heavy": ("kp", "a.npz", {"weights": [1, 6], "values": [1, 1], "capacity": 5}, "item 1 weighs 6"),
    "loop": ("mis", "a.col", "p edge 2 1\ne 2 2\n", "line 2: node 2 is its own neighbor"),
    "salesmen": ("mtsp", "a.npy", np.zeros((5, 2)), "give --salesmen"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_instances(case, refused, checkpoints, tmp_path, monkeypatch, unchecked):
    monkeypatch.chdir(tmp_path)
    name, file, content, words = BAD[case]
    if isinstance(content, str):
        (tmp_path / file).write_text(content)
    elif isinstance(content, np.ndarray):
        np.save(tmp_path / file, content)
    elif content:
        np.savez(tmp_path / file, **{key: np.array(value, dtype=float) for key, value in content.items()})
    message = refused("solve", name, "--input", file, "--checkpoint", checkpoints(name), "--out", "out.json")
    assert words in message
    assert not (tmp_path / "out.json").exists()


def test_bad_solutions(refused, run, tmp_path):
    file, solution = tmp_path / "a.npz", tmp_path / "a.json"
    run("generate", "tsp", "--n-nodes", 5, "--out", file)
    for text, words in [
        ('{"solution": [0, 1, 2, 3, 3]}', "place 3 is visited 2 times"),
        ('{"solution": [0, 1, 2, 3, 9]}', "names 9, but numbers are from 0 to 4"),
        ('{"solution": [[0, 1]]}', "a solution of tsp is a list of numbers"),
        ('{"problem": "kp", "solution": [0]}', "of the problem kp, not tsp"),
        ('{"solutions": [[0], [1]]}', "has 2 solutions, but there are 1 instances"),
        ("[]", "holds no solutions"),
    ]:
        solution.write_text(text)
        assert words in refused("check", file, solution, "--problem", "tsp")
    solution.write_text('{"solution": [0]}')
    assert "give --problem" in refused("check", file, solution)
    assert "from .json, .tour and .sol" in refused("check", file, tmp_path / "a.txt")


def test_bad_outputs(refused, run, checkpoints, tmp_path):
    file = tmp_path / "a.npz"
    run("generate", "tsp", "--n-nodes", 8, "--n", 2, "--out", file)
    words = ("solve", "tsp", "--input", file, "--checkpoint", checkpoints("tsp"))
    assert "written as .json, or .tour" in refused(*words, "--out", tmp_path / "a.sol")
    assert "holds one solution, but there are 2" in refused(*words, "--out", tmp_path / "a.tour")
    assert "a figure is written as" in refused(*words, "--plot", tmp_path / "a.gif")
    assert "solver of kp, not of tsp" in refused(*words[:4], "--checkpoint", checkpoints("kp"))
    assert "no training" in refused(*words[:4], "--checkpoint", tmp_path)
    assert "at least one sample" in refused(*words, "--samples", 0)
    assert "there is no baseline lkh" in refused("evaluate", *words[1:], "--baselines", "lkh")
    assert "whole numbers with commas" in refused("evaluate", *words[1:], "--rounds", "many")
    assert "written as .npz" in refused("generate", "kp", "--out", tmp_path / "a.tsp")
    assert "holds one instance" in refused("generate", "tsp", "--n", 2, "--out", tmp_path / "a.tsp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz"]


def test_damaged_checkpoint(refused, run, tmp_path):
    file = tmp_path / "a.npz"
    run("generate", "kp", "--n-nodes", 8, "--out", file)
    config = SolverConfig("kp", 8, DividerConfig(8, 2, n_neighbors=6), ConquerorConfig(16, 1, 16))
    save(make_solver(config), tmp_path / "run")
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "not a whole safetensors file" in refused("solve", "kp", "--input", file, "--checkpoint", tmp_path / "run")


def test_npz_holds_what_is_generated(run, tmp_path):
    run("generate", "op", "--n-nodes", 10, "--n", 3, "--seed", 5, "--out", tmp_path / "a.npz")
    held = np.load(tmp_path / "a.npz")
    expected = get_problem("op").generate(10, 3, torch.Generator().manual_seed(5))
    np.testing.assert_array_equal(held["prizes"], expected.prizes.numpy())
