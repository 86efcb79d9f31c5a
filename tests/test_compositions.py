"""Packages work together: what one makes, another takes. Each test names the packages that it needs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import main_models as models
from house import PACKAGES
from separata import data, plots, training
from separata.runs import read_csv
from separata.training import seeded


@pytest.mark.composes("bab-verify", "ncap-swimmer")
@pytest.mark.parametrize(("ipsi", "status"), [(1.0, "unsat"), (-1.0, "sat")])
def test_a_swimming_circuit_is_proven_to_bend_the_right_way(ipsi, status, tmp_path):
    """ncap-swimmer exports its circuit and a property of it; bab-verify proves that, or refutes a broken circuit."""
    from bab_verify import Verifier, load_vnnlib
    from ncap_swimmer import SwimmerCircuit, network_from_circuit, save_onnx, wrong_sign_property

    circuit = SwimmerCircuit(n_joints=5, signed=False)
    with torch.no_grad():
        for name, value in (("prop", 1.0), ("osc", 1.0), ("ipsi", ipsi), ("contra", -ipsi)):
            circuit.weight[name].fill_(value)
    save_onnx(network_from_circuit(circuit, "dorsal"), tmp_path / "circuit.onnx", 5)
    (tmp_path / "wrong-sign.vnnlib").write_text(wrong_sign_property(5))
    result = Verifier(tmp_path / "circuit.onnx").verify(load_vnnlib(tmp_path / "wrong-sign.vnnlib"))
    assert result.status == status


@pytest.mark.composes("bab-verify", "deeponet")
def test_the_integral_of_every_function_of_a_box_is_bounded():
    """deeponet learns to integrate; bab-verify bounds the integral at a point over all functions within a distance."""
    from bab_verify import compute_bounds
    from deeponet import DeepONet, ProblemConfig, TrainConfig, Trainer, make_problem

    problem = make_problem("antiderivative", ProblemConfig(n_sensors=10))
    with seeded(0):
        model = DeepONet([10, 16, 8], [1, 16, 8])
    data = problem.sample(300, torch.Generator().manual_seed(0))
    Trainer(model, data, TrainConfig(steps=300, lr=1e-2, check_every=100)).fit()
    # At a fixed point, the features of the trunk are the weights of one more layer behind the branch.
    y = torch.tensor([[0.7]])
    first, second = model.branch.layers
    last = nn.Linear(8, 1)
    with torch.no_grad():
        last.weight.copy_(model.trunk(y))
        last.bias.copy_(model.bias)
    network = nn.Sequential(first, nn.ReLU(), second, last)
    u, eps = data.u[:4].float(), 0.1
    lower, upper = compute_bounds(network, u - eps, u + eps)
    samples = u + eps * (2 * torch.rand(2000, 4, 10, generator=torch.Generator().manual_seed(1)) - 1)
    corners = u + eps * (samples - u).sign()
    with torch.no_grad():
        values = model.grid(torch.cat([samples, corners]).flatten(0, 1), y).view(-1, 4, 1)
    low, high = values.amin(0), values.amax(0)
    assert (lower <= low).all()
    assert (high <= upper).all()
    assert ((upper - lower) < 2 * (high - low)).all(), "tight enough to say something"


@pytest.mark.composes("deeponet", "mgno")
def test_two_packages_learn_one_operator_and_are_compared_on_one_plot(tmp_path):
    """mgno makes Darcy flow and evaluates; deeponet's network learns it from the same functions, as rows of sensors."""
    from deeponet import DeepONet, Trainer, TripleDataset
    from deeponet import TrainConfig as SensorSteps
    from mgno import ModelConfig, TrainConfig, evaluate, make_operator, make_problem
    from mgno import Trainer as GridTrainer

    n, side = 16, torch.linspace(0, 1, 16)
    points = torch.cartesian_prod(side, side)
    problem = make_problem("darcy", resolution=n)
    train, test = (problem.sample(k, torch.Generator().manual_seed(k)).to(dtype=torch.float32) for k in (240, 40))
    center, width, size = train.x.mean(), train.x.std(), train.y.std()

    class OnGrid(nn.Module):
        """A DeepONet as a map from grids to grids."""

        def __init__(self):
            super().__init__()
            self.network = DeepONet([n * n, 32, 32], [2, 32, 32])

        def forward(self, x):
            return size * self.network.grid((x - center).flatten(1) / width, points).view(-1, 1, n, n)

    with seeded(0):
        networks = {
            "MgNO": make_operator(ModelConfig(width=12, num_layers=2), train.shape, train),
            "DeepONet": OnGrid(),
        }
    GridTrainer(networks["MgNO"], train, TrainConfig(epochs=8, lr=3e-3)).fit()
    rows = TripleDataset((train.x - center).flatten(1) / width, points, train.y.flatten(1) / size)
    Trainer(networks["DeepONet"].network, rows, SensorSteps(steps=500, lr=3e-3, check_every=100)).fit()
    errors = {name: evaluate(network, test).relative_l2 for name, network in networks.items()}
    mean = train.y.mean(0, keepdim=True).expand_as(test.y)
    control = float(((mean - test.y).flatten(1).norm(dim=1) / test.y.flatten(1).norm(dim=1)).mean())
    assert max(errors.values()) < 0.8 * control, (errors, control)
    figure = plots.bars({"Darcy flow": {name: [error] for name, error in errors.items()}}, ylabel="relative L2 error")
    figure.savefig(tmp_path / "both.svg")
    drawn = (tmp_path / "both.svg").read_text(encoding="utf-8")
    assert all(name in drawn for name in errors)


@pytest.mark.composes("bab-verify", "counter-current")
def test_labels_of_a_network_trained_by_local_losses_are_proven_or_refuted():
    """counter-current trains a network of ReLU; bab-verify proves labels of digits, and finds where they change."""
    from bab_verify import verify_robustness
    from counter_current import CounterCurrentClassifier

    train, test = data.load("digits"), data.load("digits", split="test")
    model = nn.Sequential(nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 10))
    classifier = CounterCurrentClassifier(model, epochs=10, standardize=False)
    network = classifier.fit(train.images.flatten(1), train.labels).network_.plain()
    x, y = test.images.flatten(1), test.labels
    with torch.no_grad():
        is_right = network(x).argmax(1) == y
    assert is_right.float().mean() > 0.85
    image, label = x[is_right][0], int(y[is_right][0])
    assert verify_robustness(network, image, label, eps=0.002).status == "unsat"
    refuted = verify_robustness(network, image, label, eps=0.5)
    assert refuted.status == "sat"
    assert int(network(refuted.counterexample.x.float().view(1, -1)).argmax()) != label


@pytest.mark.composes("bab-verify", "noprop")
def test_bounds_of_a_chain_of_blocks_hold(tmp_path):
    """noprop trains blocks that never ran together, and exports their chain; bab-verify proves labels of digits."""
    from bab_verify import verify_robustness
    from noprop import NoPropClassifier, save_onnx

    train, test = data.load("digits"), data.load("digits", split="test")
    classifier = NoPropClassifier("dt", architecture="mlp", width=16, n_steps=3, epochs=15, lr=3e-3)
    classifier.fit(train.images.flatten(1), train.labels)
    save_onnx(classifier.model, tmp_path / "chain.onnx", (64,))
    x, y = test.images.flatten(1), test.labels
    with torch.no_grad():
        is_right = classifier.model.eval()(x).argmax(1) == y
    assert is_right.float().mean() > 0.85
    image, label = x[is_right][0], int(y[is_right][0])
    assert verify_robustness(tmp_path / "chain.onnx", image, label, eps=0.001).status == "unsat"
    assert verify_robustness(tmp_path / "chain.onnx", image, label, eps=0.9).status == "sat"


@pytest.mark.composes("counter-current", "double-descent")
def test_what_a_longer_training_of_the_last_layer_of_another_network_does_is_foretold():
    """counter-current trains a network; double-descent says what its last layer would do, and that is what it does."""
    from counter_current import CounterCurrentClassifier
    from double_descent import peak_report

    train, test = data.load("digits"), data.load("digits", split="test")
    model = nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 40), nn.ReLU(), nn.Linear(40, 10))
    classifier = CounterCurrentClassifier(model, epochs=10, standardize=False)
    network = classifier.fit(train.images.flatten(1), train.labels).network_.plain().double()
    with torch.no_grad():
        z, z_test = (network[:-1](one.images[:400].flatten(1).double()) for one in (train, test))
    # As many samples as there are units, a quarter of them with a wrong label.
    n = z.shape[1]
    y = train.labels[:n].clone()
    y[::4] = (y[::4] + 1) % 10
    report = peak_report(z[:n], y, z_test, test.labels[:400], [300, 1e4, float("inf")])
    assert report.is_near_threshold
    assert report.verdict == "worse"
    last = nn.Linear(n, 10, bias=False, dtype=torch.float64)
    nn.init.zeros_(last.weight)
    targets = nn.functional.one_hot(y, 10).double()
    optimizer = torch.optim.SGD(last.parameters(), lr=n / float(torch.linalg.matrix_norm(z[:n], 2)) ** 2)
    for _ in range(300):
        optimizer.zero_grad()
        ((last(z[:n]) - targets).square().sum() / (2 * n)).backward()
        optimizer.step()
    with torch.no_grad():
        outputs = last(z_test)
    expected = nn.functional.one_hot(test.labels[:400], 10).double()
    assert report.rows[0].test_mse == pytest.approx(float((outputs - expected).square().mean()), rel=1e-6)
    assert report.rows[0].test_error == pytest.approx(float((outputs.argmax(1) != test.labels[:400]).double().mean()))


@pytest.mark.composes("dendritic-backprop", "ncap-swimmer")
def test_a_small_policy_with_dendrites_swims_as_its_teacher():
    """ncap-swimmer's circuit is imitated by a small perceptron; dendrites bring that closer, and it swims."""
    from dendritic_backprop import CycleConfig, TrainConfig, fit
    from ncap_swimmer import MLPPolicy, evaluate, make_circuit_policy, make_env

    env = make_env(n_links=4)
    teacher = make_circuit_policy(env)
    observation, _ = env.reset(seed=0)
    seen, torques, is_over = [], [], False
    while not is_over:
        seen.append(torch.as_tensor(observation, dtype=torch.float32))
        with torch.no_grad():
            torques.append(teacher(seen[-1]))
        observation, _, terminated, truncated, _ = env.step(torques[-1].numpy())
        is_over = terminated or truncated
    x, y = torch.stack(seen), torch.stack(torques)
    student = MLPPolicy(x.shape[1], y.shape[1], (6,), generator=torch.Generator().manual_seed(0))
    student.standardize.update(x)
    untrained = evaluate(student, env, episodes=1, seed=1).mean
    cycle = CycleConfig(max_dendrites=2, patience=5)
    with seeded(0):
        report = fit(student, x, y, validation=0.2, config=TrainConfig(lr=0.01), cycle=cycle)
    assert report.n_dendrites > 0
    assert report.score > report.initial_score
    ours, taught = (evaluate(one, env, episodes=1, seed=1).mean for one in (report.model, teacher))
    assert ours > 0.8 * taught > 5 * untrained, (ours, taught, untrained)


@pytest.mark.composes("bab-verify", "af-kan", "s-kan")
def test_kolmogorov_arnold_networks_are_verified(tmp_path):
    """AF-KAN and S-KAN classifiers of wines, exported as ONNX, whose answers bab-verify proves near samples."""
    from sklearn.datasets import load_wine
    from sklearn.preprocessing import MinMaxScaler

    from af_kan import AFKANClassifier
    from af_kan import save_onnx as save_af_kan
    from bab_verify import verify_robustness
    from s_kan import SKANClassifier
    from s_kan import save_onnx as save_s_kan

    x, y = load_wine(return_X_y=True)
    x = MinMaxScaler().fit_transform(x).astype("float32")
    for save, classifier in (
        (save_af_kan, AFKANClassifier("8", reduction="multistep", epochs=40, gamma=0.97, lr=1e-2, batch_size=32)),
        (save_s_kan, SKANClassifier(hidden=(4,), epochs=60, lr=1e-2)),
    ):
        assert classifier.fit(x, y).score(x, y) > 0.95
        path = tmp_path / f"{type(classifier).__name__}.onnx"
        save(classifier.network_, path, (x.shape[1],))
        sample, label = torch.from_numpy(x[0]), int(y[0])
        assert verify_robustness(path, sample, label, eps=0.001).status == "unsat"
        refuted = verify_robustness(path, sample, label, eps=0.9)
        assert refuted.status == "sat"
        found = refuted.counterexample.x.float().view(1, -1)
        assert int(classifier.network_.eval()(found).argmax()) != label


VERIFIABLE = ("bspline", "rbf", "chebyshev", "fourier", "wavelet", "relu_kan", "legendre", "monomial")
"""Families of functions of s-kan whose networks bab-verify can bound."""


@pytest.mark.composes("bab-verify", "s-kan")
@pytest.mark.parametrize("family", VERIFIABLE)
def test_bounds_of_each_family_of_kolmogorov_arnold_networks_hold(tmp_path, family):
    """s-kan makes a network of each family; what bab-verify bounds contains what the network computes."""
    from bab_verify import compute_bounds
    from s_kan import KAN, available_bases, save_onnx

    assert set(VERIFIABLE) <= set(available_bases())
    with seeded(0):
        network = KAN([3, 4, 2], basis=family).eval()
    save_onnx(network, tmp_path / "kan.onnx", (3,))
    center, radius = torch.tensor([[0.2, -0.4, 0.6]]), 0.1
    bounds = compute_bounds(tmp_path / "kan.onnx", center - radius, center + radius, method="crown")
    generator = torch.Generator().manual_seed(0)
    samples = center + radius * (2 * torch.rand(500, 3, generator=generator) - 1)
    with torch.no_grad():
        values = network(samples)
    assert (bounds.lower <= values.min(0).values).all()
    assert (values.max(0).values <= bounds.upper).all()
    spread = values.max(0).values - values.min(0).values
    assert (bounds.upper - bounds.lower < 100 * spread).all()


def functions():
    """The tests of this file that take what packages make, with the packages that they name."""
    for node in ast.parse(Path(__file__).read_text(encoding="utf-8")).body:
        marks = [mark for mark in getattr(node, "decorator_list", []) if "composes" in ast.unparse(mark)]
        if marks:
            yield node, {argument.value for mark in marks for argument in mark.args}


def test_a_composition_names_its_packages_and_takes_their_public_names():
    modules = {package.module: package.name for package in PACKAGES}
    found = list(functions())
    assert found
    for function, named in found:
        imported = [node for node in ast.walk(function) if isinstance(node, ast.ImportFrom)]
        own = {node.module for node in imported if node.module.split(".")[0] in modules}
        assert not [name for name in own if "." in name], function.name
        assert {modules[name] for name in own} == named, function.name
        assert len(named) > 1, function.name


@pytest.mark.composes("opposing-signals", "af-kan")
def test_the_groups_behind_the_spikes_of_a_kolmogorov_arnold_network_are_found(tmp_path):
    """opposing-signals records a network of af-kan in a loop of one's own, and measures its sharpness and gradients."""
    from af_kan import AFKAN
    from opposing_signals import Recorder, curvature_shares, group_gradients, plant_signal, sharpness

    digits = data.load("digits")
    planted = plant_signal(digits.images[:400].flatten(1), digits.labels[:400], 2.0, n_per_class=10)
    with seeded(0):
        network = AFKAN([64, 16, 10], fused=False)
    criterion = nn.CrossEntropyLoss(reduction="none")
    optimizer = torch.optim.SGD(network.parameters(), lr=2.0)
    recorder = Recorder(400, keep="fp32")
    for step in range(40):
        losses = criterion(network(planted.x), planted.y)
        recorder.log(step, losses)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
    with torch.no_grad():
        assert recorder.mean_loss[-1] < recorder.mean_loss[0]
    groups = recorder.groups(m=10)
    named = {"up": groups.up, "down": groups.down}
    change = recorder.delta(groups.step)
    assert change[groups.up].min() > change[groups.down].max()
    found = sharpness(network, planted.x, planted.y, criterion, tol=1e-2, max_products=60)
    assert found.value > 0
    assert float(found.residuals[0]) < 0.05
    shares = curvature_shares(network, planted.x, planted.y, found.eigenvectors[0], named, criterion)
    assert sum(one.share for one in shares.values()) == pytest.approx(1, abs=1e-3)
    assert group_gradients(network, planted.x, planted.y, named, criterion).random_norm > 0


@pytest.mark.composes("epochwise-descent", "noprop")
def test_descents_are_looked_for_in_the_history_of_another_training(tmp_path):
    """noprop trains on digits and leaves its history; `epochwise-descent detect` says what its error does."""
    from epochwise_descent import load_curve
    from noprop import ModelConfig, RunConfig, TrainConfig, load_data, train

    config = RunConfig(ModelConfig("dt", architecture="mlp", width=16, n_steps=3), TrainConfig(epochs=12, lr=3e-3))
    train(load_data("digits", config), tmp_path / "run", config, device="cpu")
    script = "from epochwise_descent.cli import main; main()"
    words = [sys.executable, "-c", script, "detect", str(tmp_path / "run"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found, rows = json.loads(done.stdout), read_csv(tmp_path / "run" / "history.csv")
    assert (found["x"], found["y"], found["points"]) == ("step", "1 - validation_accuracy", 12)
    errors = [1 - row["validation_accuracy"] for row in rows]
    assert load_curve(tmp_path / "run").error[0].tolist() == errors
    assert abs(found["first_min"]["error"] - min(errors)) < 0.05
    assert found["shape"] in ("descending", "U-shaped", "double descent")
    assert rows[0]["step"] < found["first_min"]["step"] <= rows[-1]["step"]


@pytest.mark.composes("bab-verify", "modular-addition")
def test_sums_of_a_network_are_proven_around_every_pair():
    """modular-addition trains a network of ReLU; bab-verify proves its sums near pairs, and refutes them beyond."""
    from bab_verify import verify_robustness
    from modular_addition import PairData, all_pairs, make_config, make_net, train

    config = make_config("standard", p=7, width=24, lr=5e-3, steps=400)
    net = make_net(config)
    assert train(net, PairData.make(7), config.train).records["train_accuracy"][-1] == 1
    # On the sum of two one-hot vectors, gathered rows are a matrix product.
    network = nn.Sequential(nn.Linear(7, 24, bias=False), nn.ReLU(), nn.Linear(24, 7, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(net.theta)
        network[2].weight.copy_(net.w_out)
    pairs = all_pairs(7)
    sums = nn.functional.one_hot(pairs, 7).sum(1).float()
    with torch.no_grad():
        torch.testing.assert_close(network(sums), net(pairs), atol=1e-4, rtol=1e-4)
    for number in (0, 10, 33):
        label = int(pairs[number].sum()) % 7
        assert verify_robustness(network, sums[number], label, eps=0.01, clip=None).status == "unsat"
        # Within 1 lie the pairs that share a number, whose sum is another.
        refuted = verify_robustness(network, sums[number], label, eps=1.0, clip=None)
        assert refuted.status == "sat"
        assert int(network(refuted.counterexample.x.float().view(1, -1)).argmax()) != label


@pytest.mark.composes("bab-verify", "stochastic-neurons")
def test_a_network_with_stochastic_gates_is_verified_by_its_mean(tmp_path):
    """stochastic-neurons gates a classifier at random; bab-verify proves answers of its form with mean gates."""
    from sklearn.datasets import load_wine
    from sklearn.preprocessing import MinMaxScaler

    from bab_verify import verify_robustness
    from separata.labeled import LabeledDataset
    from stochastic_neurons import ModelConfig, TrainConfig, Trainer, evaluate, make_network, predict, save_onnx

    x, y = load_wine(return_X_y=True)
    x = torch.from_numpy(MinMaxScaler().fit_transform(x).astype("float32"))
    data = LabeledDataset(x, torch.from_numpy(y), ("0", "1", "2"))
    with seeded(0):
        model = make_network(ModelConfig("st", experts=12, gater_hidden=4), (13,), 3)
    Trainer(model, data, TrainConfig(epochs=60, lr=0.3, penalty_weight=1e-2, target=0.3)).fit()
    assert evaluate(model, data, inference="mean").error < 0.05
    save_onnx(model, tmp_path / "mean.onnx", (13,), inference="mean")
    sample, label = x[0], int(y[0])
    assert verify_robustness(tmp_path / "mean.onnx", sample, label, eps=0.001).status == "unsat"
    refuted = verify_robustness(tmp_path / "mean.onnx", sample, label, eps=0.9)
    assert refuted.status == "sat"
    found = refuted.counterexample.x.float().view(1, -1)
    assert int(predict(model, found, inference="mean").argmax()) != label


@pytest.mark.composes("bab-verify", "biper")
def test_labels_of_a_network_with_binary_weights_are_proven_or_refuted():
    """biper binarizes a classifier; bab-verify proves its answers as those of a plain network of -1 and +1."""
    from bab_verify import verify_robustness
    from biper import binarize, freeze, to_stage2

    train, test = data.load("digits"), data.load("digits", split="test")
    with seeded(0):
        model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 10))
        model = binarize(model, binarize_input=False, init_b=0.05).model
    for stage, lr in ((1, 0.01), (2, 0.002)):
        if stage == 2:
            to_stage2(model)
        optimizer = torch.optim.Adam(model.parameters(), lr)
        for _ in range(150):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train.images.flatten(1)), train.labels).backward()
            optimizer.step()
    network, x, y = freeze(model, merge=True), test.images.flatten(1), test.labels
    magnitudes = network[2].weight.detach().abs()
    torch.testing.assert_close(magnitudes, magnitudes[:, :1].expand_as(magnitudes))
    is_right = network(x).argmax(1) == y
    assert is_right.float().mean() > 0.9
    image, label = x[is_right][0], int(y[is_right][0])
    assert verify_robustness(network, image, label, eps=0.01).status == "unsat"
    assert verify_robustness(network, image, label, eps=0.5).status == "sat"


@pytest.mark.composes("bab-verify", "relinear")
def test_labels_of_a_quadratic_network_are_proven_or_refuted(tmp_path):
    """relinear trains quadratic neurons; bab-verify proves labels of digits, of the module and of its ONNX file."""
    from bab_verify import compute_bounds, verify_robustness
    from relinear import make_mlp, param_groups, save_onnx

    train, test = data.load("digits"), data.load("digits", split="test")
    with seeded(0):
        network = make_mlp((64, 16, 16, 10))
    optimizer = torch.optim.SGD(param_groups(network, 0.1), momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(train.images), train.labels).backward()
        optimizer.step()
    x, y = test.images.flatten(1), test.labels
    with torch.no_grad():
        is_right = network(x).argmax(1) == y
    assert is_right.float().mean() > 0.85
    assert all(layer.weight_g.any() and layer.weight_b.any() for layer in network if hasattr(layer, "weight_g"))
    save_onnx(network, tmp_path / "net.onnx", (64,))
    image, label = x[is_right][0], int(y[is_right][0])
    for given in (network, tmp_path / "net.onnx"):
        assert verify_robustness(given, image, label, eps=0.002).status == "unsat"
        refuted = verify_robustness(given, image, label, eps=0.5)
        assert refuted.status == "sat"
        with torch.no_grad():
            assert int(network(refuted.counterexample.x.float().view(1, -1)).argmax()) != label
    lower, upper = compute_bounds(tmp_path / "net.onnx", image[None] - 0.01, image[None] + 0.01)
    samples = image + 0.01 * (2 * torch.rand(2000, 64, generator=torch.Generator().manual_seed(1)) - 1)
    with torch.no_grad():
        values = network(torch.cat([samples, image + 0.01 * (samples - image).sign()]))
    assert (lower <= values.amin(0)).all()
    assert (upper >= values.amax(0)).all()
    assert ((upper - lower) < 3 * (values.amax(0) - values.amin(0))).all(), "tight enough to say something"


@pytest.mark.composes("bab-verify", "convergent-learning")
def test_two_networks_that_are_aligned_and_averaged_are_verified():
    """convergent-learning aligns, permutes and averages networks; bab-verify gives a permuted one the same verdicts."""
    from bab_verify import verify_robustness
    from convergent_learning import align, average, permutation_groups, permute_model

    train, test = data.load("digits"), data.load("digits", split="test")
    x, y = train.images.flatten(1), train.labels
    nets = []
    for seed in (0, 1):
        with seeded(seed):
            net = nn.Sequential(nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10))
        optimizer, generator = torch.optim.Adam(net.parameters(), lr=5e-3), torch.Generator().manual_seed(seed)
        training.train(net, x, y, epochs=20, batch_size=64, optimizer=optimizer, generator=generator)
        nets.append(net.eval())
    aligned = align(nets[0], nets[1], x.split(256)).model
    merged, unaligned = average([nets[0], aligned]), average(nets)
    scores = [training.accuracy(net, test.images.flatten(1), test.labels) for net in (merged, unaligned)]
    assert scores[0] > 0.8
    assert scores[0] > scores[1]
    with torch.no_grad():
        is_right = merged(test.images.flatten(1)).argmax(1) == test.labels
    image, label = test.images.flatten(1)[is_right][0], int(test.labels[is_right][0])
    assert verify_robustness(merged, image, label, eps=0.001).status == "unsat"
    (group,) = [one for one in permutation_groups(merged) if not one.fixed]
    shuffled = permute_model(merged, {group.layers[0]: torch.randperm(30, generator=torch.Generator().manual_seed(0))})
    for eps in (0.001, 0.5):
        statuses = {verify_robustness(net, image, label, eps=eps).status for net in (merged, shuffled)}
        assert statuses == ({"unsat"} if eps < 0.1 else {"sat"})


@pytest.mark.composes("convergent-learning", "snn-continual")
def test_spiking_networks_of_two_seeds_are_compared():
    """The units of spiking networks are matched by their spikes over time."""
    from convergent_learning import collect, match_units
    from snn_continual import SpikingMLP

    nets = []
    for seed in (0, 1):
        with seeded(seed):
            nets.append(SpikingMLP((64, 32, 10)).eval())
    neurons = ("DSRLIF", "DSRIF")
    layer = next(name for name, module in nets[0].named_modules() if type(module).__name__ in neurons)
    x = data.load("digits", split="test").images
    stats = collect([nets[0], nets[0], nets[1]], x.split(100), [layer], repeated=True)
    alive = ~stats[layer].dead(0)
    assert int(alive.sum()) > 16
    same, other = match_units(stats.cross(layer, 0, 1)), match_units(stats.cross(layer, 0, 2))
    assert torch.equal(same.index[alive], torch.arange(32)[alive])
    assert float(same.value[alive].mean()) == pytest.approx(1, abs=1e-4)
    assert 0 < other.mean < 0.9


@pytest.mark.composes("dualformer", "noble-branch")
def test_a_planner_with_branches_learns_to_copy():
    """noble-branch widens dualformer's transformer; a plain checkpoint fits, and what it learned is loaded strictly."""
    from dualformer import EncoderDecoder, EncoderDecoderConfig
    from noble_branch import add_branches, branch_param_groups, load_plain

    config = EncoderDecoderConfig(vocab_size=12, dim=16, n_layers=1, n_heads=2)
    with seeded(0):
        plain, model = EncoderDecoder(config), EncoderDecoder(config)
        found = add_branches(model, rank=4)
    assert {"encoder_head", "decoder_head"} <= set(found.left)
    assert len(found.converted) == 4 + 7
    assert len(load_plain(model, plain.state_dict())) == 7 * 11
    tokens = torch.randint(1, 12, (16, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(tokens, dtype=torch.bool)
    shown = nn.functional.pad(tokens[:, :-1], (1, 0))
    with torch.no_grad():
        assert torch.equal(model(tokens, mask, shown), plain(tokens, mask, shown))
    optimizer = torch.optim.AdamW(branch_param_groups(model, lr=1e-2, weight_decay=0.1))
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(tokens, mask, shown).flatten(0, 1), tokens.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    again = EncoderDecoder(config)
    add_branches(again, rank=4)
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(again(tokens, mask, shown), model(tokens, mask, shown))
        assert not torch.allclose(plain(tokens, mask, shown), model(tokens, mask, shown), atol=0.1)


@pytest.mark.composes("deeponet", "noble-branch")
def test_a_deeponet_with_branches_learns_to_integrate():
    """noble-branch adds branches to the trunk of a DeepONet, whose own trainer trains them."""
    from deeponet import DeepONet, ProblemConfig, TrainConfig, Trainer, make_problem
    from noble_branch import BranchedLinear, add_branches

    problem = make_problem("antiderivative", ProblemConfig(n_sensors=10))
    with seeded(0):
        model = DeepONet([10, 16, 8], [1, 16, 16, 8])
        # The first layer of the trunk has one input, so that its branch could not have a higher rank.
        found = add_branches(model, rank=4, targets="trunk.*", skip="trunk.layers.0")
    assert found.converted == ("trunk.layers.1", "trunk.layers.2")
    data, unseen = (problem.sample(300, torch.Generator().manual_seed(seed)) for seed in (0, 1))

    def error():
        with torch.no_grad():
            return (
                (model(unseen.u.float(), unseen.y.float()).flatten() - unseen.s.float().flatten())
                .square()
                .mean()
                .item()
            )

    before = error()
    Trainer(model, data, TrainConfig(steps=300, lr=1e-2, check_every=100)).fit()
    assert error() < 0.05 * before
    layers = [module for module in model.modules() if isinstance(module, BranchedLinear)]
    assert all(layer.branch.up.abs().max() > 0 for layer in layers)


@pytest.mark.composes("bab-verify", "mip-hypernet")
def test_networks_of_a_hypernetwork_are_verified_at_several_gammas():
    """mip-hypernet makes one network for each strength of a penalty; bab-verify proves and refutes labels of each."""
    from bab_verify import verify_robustness
    from mip_hypernet import HyperConfig, TaskConfig, TrainConfig, Trainer, load_task, make_model

    task = load_task("regularization", TaskConfig(width=16))
    model = make_model(task, HyperConfig(hidden="8,32"))
    Trainer(model, task, TrainConfig(400, 3e-3)).fit()
    x, y = task.samples("test")
    plain = {gamma: model.instantiate(gamma=gamma) for gamma in (0.0, 0.5, 0.8)}
    with torch.no_grad():
        is_right = torch.stack([network(x).argmax(1) == y for network in plain.values()]).all(0)
    assert is_right.float().mean() > 0.6
    image, label = x[is_right][0].flatten(), int(y[is_right][0])
    for network in plain.values():
        assert verify_robustness(network, image, label, eps=0.002).status == "unsat"
        refuted = verify_robustness(network, image, label, eps=0.5)
        assert refuted.status == "sat"
        with torch.no_grad():
            assert int(network(refuted.counterexample.x.float().view(1, -1)).argmax()) != label


@pytest.mark.composes("deeponet", "mip-hypernet")
def test_a_hypernetwork_gives_the_weights_of_a_deeponet():
    """One DeepONet for a family of operators: gamma times the antiderivative, with gamma given to a hypernetwork."""
    from deeponet import DeepONet, ProblemConfig, make_problem
    from mip_hypernet import hypernetize

    problem = make_problem("antiderivative", ProblemConfig(n_sensors=10))
    with seeded(0):
        model = hypernetize(DeepONet([10, 16, 8], [1, 16, 16, 8]), ["branch.*", "trunk.*"], hidden_sizes=(8, 32))
    train, unseen = (problem.sample(300, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    u, y, s = (value.float() for value in (train.u, train.y, train.s))
    optimizer, generator = torch.optim.Adam(model.parameters(), 3e-3), torch.Generator().manual_seed(0)
    for _ in range(500):
        gamma = torch.rand(1, generator=generator)
        loss = (model(u, y, gamma=gamma).flatten() - gamma * s.flatten()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for gamma in (0.2, 0.9):
        with torch.no_grad():
            found = model.instantiate(gamma=gamma)(unseen.u.float(), unseen.y.float()).flatten()
        target = gamma * unseen.s.float().flatten()
        error = (found - target).square().mean() / target.square().mean()
        with torch.no_grad():
            other = model(unseen.u.float(), unseen.y.float(), gamma=1.1 - gamma).flatten()
        assert error < 0.2
        assert (other - target).square().mean() / target.square().mean() > 2 * error, "of another gamma"


DRAWN = [
    pytest.param(models.fixer3d, marks=pytest.mark.composes("circuit-diagrams", "3d-fixer")),
    pytest.param(models.af_kan, marks=pytest.mark.composes("circuit-diagrams", "af-kan")),
    pytest.param(models.biper, marks=pytest.mark.composes("circuit-diagrams", "biper")),
    pytest.param(models.convergent_learning, marks=pytest.mark.composes("circuit-diagrams", "convergent-learning")),
    pytest.param(models.counter_current, marks=pytest.mark.composes("circuit-diagrams", "counter-current")),
    pytest.param(models.deeponet, marks=pytest.mark.composes("circuit-diagrams", "deeponet")),
    pytest.param(models.dendritic_backprop, marks=pytest.mark.composes("circuit-diagrams", "dendritic-backprop")),
    pytest.param(models.double_descent, marks=pytest.mark.composes("circuit-diagrams", "double-descent")),
    pytest.param(models.dualformer, marks=pytest.mark.composes("circuit-diagrams", "dualformer")),
    pytest.param(models.epochwise_descent, marks=pytest.mark.composes("circuit-diagrams", "epochwise-descent")),
    pytest.param(models.kan_assessment, marks=pytest.mark.composes("circuit-diagrams", "kan-assessment")),
    pytest.param(models.mgno, marks=pytest.mark.composes("circuit-diagrams", "mgno")),
    pytest.param(models.mip_hypernet, marks=pytest.mark.composes("circuit-diagrams", "mip-hypernet")),
    pytest.param(models.modular_addition, marks=pytest.mark.composes("circuit-diagrams", "modular-addition")),
    pytest.param(models.mt_deeponet, marks=pytest.mark.composes("circuit-diagrams", "mt-deeponet")),
    pytest.param(models.ncap_swimmer, marks=pytest.mark.composes("circuit-diagrams", "ncap-swimmer")),
    pytest.param(models.noble_branch, marks=pytest.mark.composes("circuit-diagrams", "noble-branch")),
    pytest.param(models.noprop, marks=pytest.mark.composes("circuit-diagrams", "noprop")),
    pytest.param(models.opposing_signals, marks=pytest.mark.composes("circuit-diagrams", "opposing-signals")),
    pytest.param(models.relinear, marks=pytest.mark.composes("circuit-diagrams", "relinear")),
    pytest.param(models.revibranch, marks=pytest.mark.composes("circuit-diagrams", "revibranch")),
    pytest.param(models.s_kan, marks=pytest.mark.composes("circuit-diagrams", "s-kan")),
    pytest.param(models.snn_continual, marks=pytest.mark.composes("circuit-diagrams", "snn-continual")),
    pytest.param(models.stochastic_neurons, marks=pytest.mark.composes("circuit-diagrams", "stochastic-neurons")),
    pytest.param(models.udc_solver, marks=pytest.mark.composes("circuit-diagrams", "udc-solver")),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("example", DRAWN, ids=lambda one: one.__name__)
@pytest.mark.filterwarnings("ignore")
def test_the_main_model_of_a_package_is_drawn(example, tmp_path):
    """circuit-diagrams draws what every package is about, and its diagram computes what the model does."""
    from circuit_diagrams import draw, trace

    model, inputs = example()
    model.eval()
    diagram = trace(model, *inputs)
    assert not {op.target for op in diagram.ops if op.kind == "opaque"}
    with torch.no_grad():
        outputs, expected = diagram(*inputs), model(*inputs)
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    drawing = draw(diagram, path=tmp_path / "model.svg")
    assert (tmp_path / "model.svg").read_text(encoding="utf-8").startswith("<")
    assert drawing


def test_every_package_has_a_main_model_that_is_drawn_or_draws_itself():
    drawn = {mark.args[1] for one in DRAWN for mark in one.marks}
    others = {"circuit-diagrams": "draws", "bab-verify": "verifies the networks of others"}
    assert drawn | set(others) == {package.name for package in PACKAGES}
    assert not drawn & set(others)
