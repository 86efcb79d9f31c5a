import pytest
import torch

from separata.progress import Reporter
from separata.runs import RunFolder
from udc_solver import ConquerorConfig, DividerConfig, SolverConfig, TrainConfig, Trainer, make_solver
from udc_solver.checkpoints import SHIPPED, from_pretrained, pack, pretrained, recipe_of, unpack

SMALL = SolverConfig("tsp", 8, DividerConfig(8, 1, 2, 6), ConquerorConfig(dim=16, layers=1, hidden=16))
SHORT = TrainConfig(n_steps=2, sizes=(16, 16), n_samples=3, n_starts=4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    folder = RunFolder.begin(path, {"solver": SMALL, "train": SHORT})
    solver = make_solver(SMALL)
    folder.fit(Trainer(solver, SHORT), solver, Reporter(quiet=True))
    return path, solver


def test_a_packed_solver_is_the_trained_one_in_half_precision(trained, tmp_path):
    path, solver = trained
    pack(path, tmp_path / "it.safetensors", {"length": 8.5})
    again = unpack(tmp_path / "it.safetensors", "cpu")
    assert again.config == solver.config
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, solver.state_dict()[name], rtol=1e-3, atol=1e-4)
    recipe = recipe_of(tmp_path / "it.safetensors")
    assert recipe["metrics"] == {"length": 8.5}
    assert recipe["train"]["n_steps"] == 2
    instance = solver.problem.generate(30, 2, torch.Generator().manual_seed(0))
    again.problem.check(instance, again.solve(instance, 2, 2).solution)


def test_what_is_no_packed_solver_is_refused(trained, tmp_path):
    path, _ = trained
    with pytest.raises(ValueError, match="says nothing of its solver"):
        unpack(path / "model.safetensors", "cpu")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        unpack(tmp_path / "bad.safetensors", "cpu")
    with pytest.raises(FileNotFoundError):
        unpack(tmp_path / "none.safetensors", "cpu")


def test_solvers_that_come_with_the_package_solve_and_are_small():
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.safetensors")) <= 10_000_000
    for name in pretrained():
        solver = from_pretrained(name, "cpu")
        instance = solver.problem.generate(120, 1, torch.Generator().manual_seed(0))
        found = solver.solve(instance, 2, 2)
        solver.problem.check(instance, found.solution)


def test_a_problem_without_a_trained_solver_is_named():
    with pytest.raises(ValueError, match="no trained solver of nothing"):
        from_pretrained("nothing")
