import hashlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from separata.models import MLP
from separata.training import accuracy, fingerprint, seeded, train


def drawn_from(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small lose time to a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def problem():
    """Three separable clouds."""
    labels = torch.arange(60) % 3
    x = torch.randn(60, 4, generator=drawn_from()) + 3 * torch.eye(4)[labels]
    return x, labels


def model(seed: int = 0) -> MLP:
    torch.manual_seed(seed)
    return MLP((4, 8, 3))


def parameters(network: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


class TestAccuracy:
    @pytest.mark.parametrize("batch_size", [1, 7, 60, 1000])
    def test_is_the_share_of_right_answers(self, batch_size):
        logits = torch.randn(60, 5, generator=drawn_from())
        labels = torch.randint(5, (60,), generator=drawn_from(1))
        expected = np.mean(
            [max(range(5), key=row.__getitem__) == label for row, label in zip(logits, labels, strict=True)]
        )
        assert accuracy(nn.Identity(), logits, labels, batch_size=batch_size) == pytest.approx(expected)

    def test_evaluates_and_leaves_every_module_in_its_mode(self):
        network = nn.Sequential(nn.Dropout(1.0), nn.BatchNorm1d(3), nn.Dropout())
        network[1].eval()
        modes = [module.training for module in network.modules()]
        x = torch.eye(3)
        assert accuracy(network, x, torch.arange(3)) == 1
        assert [module.training for module in network.modules()] == modes == [True, True, False, True]

    def test_leaves_the_mode_when_the_model_fails(self):
        network = nn.Linear(3, 2)
        with pytest.raises(RuntimeError):
            accuracy(network, torch.zeros(4, 5), torch.zeros(4, dtype=torch.long))
        assert network.training

    def test_keeps_no_graph(self):
        class Watching(nn.Linear):
            def forward(self, x):
                assert not torch.is_grad_enabled()
                return super().forward(x)

        accuracy(Watching(2, 2), torch.zeros(4, 2), torch.zeros(4, dtype=torch.long))

    def test_needs_samples(self):
        with pytest.raises(ValueError, match="not 0 for 0"):
            accuracy(nn.Identity(), torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))


class TestTrain:
    def test_one_step_is_the_gradient_of_softmax_regression(self, problem):
        x, labels = problem
        network = MLP((4, 3), bias=False)
        weight = network.layers[0].weight.detach().double().numpy()
        history = train(
            network,
            x,
            labels,
            epochs=1,
            batch_size=60,
            optimizer=torch.optim.SGD(network.parameters(), 0.5),
            generator=drawn_from(),
        )
        scores = np.exp(x.double().numpy() @ weight.T)
        probabilities = scores / scores.sum(1, keepdims=True)
        target = np.eye(3)[labels]
        expected = weight - 0.5 * (probabilities - target).T @ x.double().numpy() / 60
        np.testing.assert_allclose(network.layers[0].weight.detach(), expected, atol=1e-6)
        loss = -np.log((probabilities * target).sum(1)).mean()
        right = (probabilities.argmax(1) == labels.numpy()).mean()
        assert history == [{"step": 1, "loss": pytest.approx(loss), "accuracy": pytest.approx(right)}]

    def test_history_is_the_mean_over_samples_of_unequal_batches(self, problem):
        x, labels = problem
        network = model()
        # Nothing moves, so that the epoch's mean is that of the whole set.
        optimizer = torch.optim.SGD(network.parameters(), 0.0)
        rows = train(network, x, labels, epochs=2, batch_size=16, optimizer=optimizer, generator=drawn_from())
        logits = network(x)
        assert [row["step"] for row in rows] == [1, 2]
        for row in rows:
            assert row["loss"] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
            assert row["accuracy"] == pytest.approx(accuracy(network, x, labels))

    def test_learns_the_same_from_the_same_seed(self, problem):
        runs = []
        for seed in (0, 0, 1):
            network = model()
            optimizer = torch.optim.Adam(network.parameters(), 0.01)
            rows = train(network, *problem, epochs=20, batch_size=16, optimizer=optimizer, generator=drawn_from(seed))
            runs.append((rows, parameters(network)))
            assert accuracy(network, *problem) > 0.9
            assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]
        assert runs[0][0] == runs[1][0]
        assert all(torch.equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))
        assert runs[0][0] != runs[2][0]

    def test_loss_scheduler_and_progress(self, problem):
        x, labels = problem
        network, seen = model(), []

        def squared_error(logits, classes):
            return ((logits - nn.functional.one_hot(classes, 3)) ** 2).mean()

        def track(epochs, description):
            for epoch in epochs:
                seen.append((epoch, description, optimizer.param_groups[0]["lr"]))
                yield epoch

        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        expected = squared_error(network(x), labels).item()
        rows = train(
            network,
            x,
            labels,
            epochs=3,
            batch_size=60,
            optimizer=optimizer,
            generator=drawn_from(),
            loss=squared_error,
            scheduler=scheduler,
            track=track,
        )
        assert rows[0]["loss"] == pytest.approx(expected)
        assert seen == [(1, "epochs", 0.1), (2, "epochs", 0.05), (3, "epochs", 0.025)]

    def test_trains_in_training_mode(self, problem):
        network = nn.Sequential(MLP((4, 3)), nn.BatchNorm1d(3)).eval()
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        train(network, *problem, epochs=1, batch_size=20, optimizer=optimizer, generator=drawn_from())
        assert network.training
        assert network[1].num_batches_tracked == 3

    @pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
    def test_a_single_device_fabric_changes_nothing_but_the_precision(self, problem, precision):
        results = []
        for fabric in (None, Fabric(accelerator="cpu", devices=1, precision=precision)):
            network = model()
            optimizer = torch.optim.SGD(network.parameters(), 0.1)
            prepared = (network, optimizer) if fabric is None else fabric.setup(network, optimizer)
            rows = train(
                prepared[0],
                *problem,
                epochs=3,
                batch_size=16,
                optimizer=prepared[1],
                generator=drawn_from(),
                fabric=fabric,
            )
            results.append((rows, parameters(network)))
        tolerance = 0 if precision == "32-true" else 0.05
        for first, second in zip(results[0][0], results[1][0], strict=True):
            assert first == pytest.approx(second, rel=tolerance, abs=tolerance)
        torch.testing.assert_close(results[0][1], results[1][1], rtol=tolerance, atol=tolerance)

    def test_two_processes_take_the_steps_of_one(self, problem, tmp_path):
        script = tmp_path / "two.py"
        script.write_text(
            textwrap.dedent("""
            import sys, torch
            torch.set_num_threads(1)
            from lightning_fabric import Fabric
            from separata.models import MLP
            from separata.training import train

            def work(fabric):
                torch.manual_seed(0)
                network = MLP((4, 8, 3))
                x, labels = torch.load(sys.argv[1], weights_only=True)
                model, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), 0.1))
                rows = train(model, x, labels, epochs=3, batch_size=20, optimizer=optimizer,
                             generator=torch.Generator().manual_seed(0), fabric=fabric)
                if fabric.global_rank == 0:
                    result = rows, [parameter.detach() for parameter in network.parameters()]
                    torch.save(result, sys.argv[1] + ".out")

            Fabric(accelerator="cpu", devices=2, strategy="ddp_fork").launch(work)
            """),
            encoding="utf-8",
        )
        torch.save(problem, tmp_path / "problem")
        subprocess.run([sys.executable, script, tmp_path / "problem"], check=True, timeout=120, capture_output=True)
        rows, weights = torch.load(tmp_path / "problem.out", weights_only=True)

        network = model()
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        expected = train(network, *problem, epochs=3, batch_size=20, optimizer=optimizer, generator=drawn_from())
        assert [row["accuracy"] for row in rows] == pytest.approx([row["accuracy"] for row in expected])
        assert [row["loss"] for row in rows] == pytest.approx([row["loss"] for row in expected], rel=1e-5)
        torch.testing.assert_close(weights, parameters(network))

    @pytest.mark.parametrize("batch_size", [5, 80])
    def test_processes_must_share_a_batch_evenly(self, problem, batch_size):
        class Two:
            world_size, global_rank = 2, 0

        network = model()
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        options = {"epochs": 1, "batch_size": batch_size, "optimizer": optimizer, "generator": drawn_from()}
        with pytest.raises(ValueError, match="2 processes need a batch size that they divide"):
            train(network, *problem, fabric=Two(), **options)

    def test_needs_samples(self):
        network = model()
        options = {"optimizer": torch.optim.SGD(network.parameters(), 0.1), "generator": drawn_from()}
        with pytest.raises(ValueError, match="at least one sample"):
            train(network, torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), epochs=1, batch_size=4, **options)


def test_initial_weights_depend_on_the_seed_alone_and_nothing_outside_changes():
    drawn = []
    for seed, noise in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(noise)
        expected = torch.rand(2)
        torch.manual_seed(noise)
        with seeded(seed):
            drawn.append(nn.Linear(3, 2).weight)
        assert torch.equal(torch.rand(2), expected)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_fingerprint_is_that_of_shapes_types_and_numbers():
    x, flag = torch.arange(6.0).view(2, 3), torch.ones((), dtype=torch.bool)
    expected = hashlib.sha256(b"(2, 3) torch.float32" + x.numpy().tobytes() + b"() torch.bool" + b"\x01").hexdigest()
    assert fingerprint(x, None, flag) == expected
    assert fingerprint(x.T.contiguous().T.requires_grad_(), flag) == expected
    others = [(x,), (flag, x), (x.T, flag), (x.int(), flag), (-x,), ()]
    assert len({expected, *(fingerprint(*tensors) for tensors in others)}) == 1 + len(others)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64, torch.int64])
def test_a_fingerprint_takes_every_type(dtype):
    x = torch.tensor([1, 2, 3]).to(dtype)
    assert fingerprint(x) == fingerprint(x.clone())
    assert len({fingerprint(one) for one in (x, x[:2], x[1:], x[:0])}) == 4
