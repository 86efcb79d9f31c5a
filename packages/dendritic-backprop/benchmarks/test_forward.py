"""A forward pass with D dendrites beside a plain one, a loop over copies, and the open-source peer."""

import statistics
import time

import pytest
import torch
from torch import nn

from dendritic_backprop import CorrelationTrainer, DendriticModule, add_dendrites
from dendritic_backprop.adapters import TensorOutput
from dendritic_backprop.copies import LoopedCopies
from house import peer

LAYERS = {
    "linear": (lambda: nn.Linear(1024, 512), (256, 1024)),
    "convolution": (lambda: nn.Conv2d(64, 64, 3, padding=1), (8, 64, 16, 16)),
}
AT_MOST = 1.2
"""Times (1 + D) that a forward pass with D dendrites costs at most."""


def grown(make, n):
    """A layer with n dendrites."""
    torch.manual_seed(0)
    module = DendriticModule(make())
    for _ in range(n):
        module.start_candidates(1)
        module.accept()
        nn.init.normal_(module.gain)
    return module


def forward(module, x):
    """A function that runs it without gradients."""

    @torch.no_grad()
    def run():
        return module(x)

    return run


def looped(make, n):
    """The copies as modules of their own, one after the other, without anything else."""
    template = make()
    copies = LoopedCopies(template, n, TensorOutput())
    return lambda x: copies(template, x)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.benchmark(group="forward pass, by dendrites")
def test_forward(benchmark, name, n):
    make, shape = LAYERS[name]
    out = benchmark(forward(grown(make, n), torch.randn(shape)))
    assert len(out) == shape[0]


@pytest.mark.parametrize("kind", ["fused", "loop"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.benchmark(group="three copies, fused or one by one")
def test_copies(benchmark, name, kind):
    make, shape = LAYERS[name]
    x = torch.randn(shape)
    module = grown(make, 3)
    run = (lambda one: module.dendrites(module.module, one)) if kind == "fused" else looped(make, 3)
    with torch.no_grad():
        assert len(benchmark(run, x)) == 3


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.benchmark(group="training step of neurons, MLP 784-256-10, batch of 128")
def test_training_step(benchmark, n):
    torch.manual_seed(0)
    model = add_dendrites(nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)))
    for module in (model[0], model[2]):
        for _ in range(n):
            module.start_candidates(1)
            module.accept()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad and p.numel()])
    x, y = torch.randn(128, 784), torch.randint(10, (128,))

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    benchmark(step)


@pytest.mark.parametrize("memory", [2**31, 0], ids=["network once", "network in each pass"])
@pytest.mark.benchmark(group="dendrite phase of 5 passes, MLP 784-64-10, 1,000 samples")
def test_dendrite_phase(benchmark, memory):
    torch.manual_seed(0)
    x, y = torch.randn(1000, 784), torch.randint(10, (1000,))
    batches = list(zip(x.split(100), y.split(100)))

    def phase():
        model = add_dendrites(nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)))
        trainer = CorrelationTrainer(model, nn.functional.cross_entropy, lambda p: torch.optim.Adam(p, 1e-2))
        return trainer.run(batches, 5, patience=0, memory=memory)

    assert len(benchmark(phase)) == 6


MLP = (784, 256, 10)
N_BATCH = 128


def our_mlp(n):
    """A perceptron with n dendrites."""
    torch.manual_seed(0)
    model = add_dendrites(nn.Sequential(nn.Linear(*MLP[:2]), nn.ReLU(), nn.Linear(*MLP[1:])))
    for module in (model[0], model[2]):
        for _ in range(n):
            module.start_candidates(1)
            module.accept()
            nn.init.normal_(module.gain)
    return model


def peer_mlp(n):
    """The same by the peer's open mode, whose dendrites learn by gradient; it writes into the current folder."""
    settings = peer("perforatedai.globals_perforatedai", "pc")
    convert = peer("perforatedai.utils_perforatedai", "perforate_model")
    options = settings.pc
    for name, value in {
        "unwrapped_modules_confirmed": True,
        "configuration_confirmed": True,
        "weight_decay_accepted": True,
        "silent": True,
        "use_cuda": False,
        "device": "cpu",
        "switch_mode": options.DOING_HISTORY,
        "n_epochs_to_switch": 1,
        "history_lookback": 1,
        "initial_history_after_switches": 0,
        "retain_all_dendrites": True,
        "max_dendrites": n + 1,
    }.items():
        getattr(options, f"set_{name}")(value)
    torch.manual_seed(0)
    model = convert.perforate_model(nn.Sequential(nn.Linear(*MLP[:2]), nn.ReLU(), nn.Linear(*MLP[1:])))
    tracker, grown = settings.pai_tracker, 0
    x, y = torch.randn(N_BATCH, MLP[0]), torch.randint(MLP[-1], (N_BATCH,))
    score = 51.0
    while grown < n:
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        tracker.set_optimizer_instance(optimizer)
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        model, is_restructured, _ = tracker.add_validation_score(score, model)
        grown, score = grown + bool(is_restructured), 50.0
    return model


@pytest.mark.parametrize("whose", ["ours", "perforatedai, open mode"])
@pytest.mark.parametrize("what", ["forward", "training step of neurons"])
@pytest.mark.benchmark(group="MLP 784-256-10 with 3 dendrites, batch of 128")
def test_beside_the_peer(benchmark, whose, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = our_mlp(3) if whose == "ours" else peer_mlp(3)
    x, y = torch.randn(N_BATCH, MLP[0]), torch.randint(MLP[-1], (N_BATCH,))
    if what == "forward":
        benchmark(forward(model.eval(), x))
        return
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad and p.numel()])

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    benchmark(step)


def medians(runs, repetitions):
    """Median processor seconds of each, taking turns, so that what else the machine does falls on all alike."""
    seconds = [[] for _ in runs]
    for repetition in range(-3, repetitions):
        for one, run in zip(seconds, runs):
            start = time.thread_time()
            run()
            if repetition >= 0:
                one.append(time.thread_time() - start)
    return [statistics.median(one) for one in seconds]


@pytest.mark.timed
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_a_forward_pass_costs_at_most_what_the_copies_cost(name, n, record_property):
    make, shape = LAYERS[name]
    x, module = torch.randn(shape), grown(make, n)
    plain, dendritic = medians([forward(module.module, x), forward(module, x)], 21)
    record_property("ratio", dendritic / plain / (1 + n))
    assert dendritic <= AT_MOST * (1 + n) * plain
