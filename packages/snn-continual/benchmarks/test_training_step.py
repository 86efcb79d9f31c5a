"""One training step of the paper's perceptron, here and in the libraries with which spiking networks are trained.

The network (784-800-800-10, no biases), the batch (64), the number of time steps (20) and the optimiser are the same
everywhere, and the image is presented at every time step. The peers train by surrogate gradients through time, as they
are made for.
"""

import statistics
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from house import peer
from snn_continual import BPTT, DSR, ContinualLearner, SpikingMLP
from snn_continual.methods import pmnist_dims

SIZES = (784, 800, 800, 10)
BATCH, TIMESTEPS = 64, 20


def training_step(parameters, loss_of):
    """A function that trains one step on always the same batch."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, SIZES[0], generator=generator)
    y = torch.randint(SIZES[-1], (BATCH,), generator=generator)
    optimizer = torch.optim.SGD(parameters, lr=1e-3)

    def step():
        optimizer.zero_grad()
        loss_of(x, y).backward()
        optimizer.step()

    return step


def plain_step(rule=DSR(TIMESTEPS)):  # noqa: B008 - immutable
    """This package, without anything to remember."""
    model = SpikingMLP(SIZES, rule)
    return training_step(model.parameters(), model.loss)


def projecting_step(dims=None, *, learns=True, rule=DSR(TIMESTEPS)):  # noqa: B008 - immutable
    """This package in a second task: gradients are projected, and subspaces grow by the paper's dimensions."""
    model = SpikingMLP(SIZES, rule)
    learner = ContinualLearner(model)
    learner.begin_task(pmnist_dims(0) if dims is None else dims)
    learner.end_task()
    learner.begin_task(pmnist_dims(1) if learns else 0)
    return training_step(learner.trainable_parameters(), model.loss)


def spikingjelly_step(*, encodes_once=False):
    """Multi-step neurons on PyTorch's backend; the input repeated, or the first layer's current repeated instead."""
    functional, layer, neuron, surrogate = (
        peer(f"spikingjelly.activation_based.{name}") for name in ("functional", "layer", "neuron", "surrogate")
    )

    def lif():
        return neuron.LIFNode(
            tau=2.0,
            decay_input=False,
            v_reset=None,
            detach_reset=True,
            surrogate_function=surrogate.Sigmoid(alpha=4.0),
            step_mode="m",
        )

    encoder = nn.Linear(784, 800, bias=False)
    spiking = nn.Sequential(
        lif(),
        layer.Linear(800, 800, bias=False, step_mode="m"),
        lif(),
        layer.Linear(800, 10, bias=False, step_mode="m"),
    )

    def loss_of(x, y):
        functional.reset_net(spiking)
        if encodes_once:
            current = encoder(x).expand(TIMESTEPS, -1, -1)
        else:
            current = functional.seq_to_ann_forward(x.repeat(TIMESTEPS, 1, 1), encoder)
        return F.cross_entropy(spiking(current).mean(0), y)

    return training_step([*encoder.parameters(), *spiking.parameters()], loss_of)


def snntorch_step():
    """Linear layers over all steps in one batch, and neurons in a loop over the steps."""
    snntorch, surrogate = peer("snntorch", "Leaky"), peer("snntorch.surrogate")

    layers = nn.ModuleList(nn.Linear(n, m, bias=False) for n, m in zip(SIZES[:-1], SIZES[1:], strict=True))
    neurons = [snntorch.Leaky(beta=0.5, spike_grad=surrogate.sigmoid(4), reset_mechanism="subtract") for _ in range(2)]

    def fire(neuron, current):
        membrane, spikes = neuron.init_leaky(), []
        for at_step in current:
            spike, membrane = neuron(at_step, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    def loss_of(x, y):
        spikes = x.repeat(TIMESTEPS, 1, 1)
        for linear, neuron in zip(layers, neurons, strict=False):
            spikes = fire(neuron, linear(spikes))
        return F.cross_entropy(layers[-1](spikes).mean(0), y)

    return training_step(layers.parameters(), loss_of)


STEPS = {
    "snn-continual": plain_step,
    "snn-continual projecting and learning": projecting_step,
    "snn-continual by BPTT": lambda: plain_step(BPTT(TIMESTEPS)),
    "spikingjelly": spikingjelly_step,
    "spikingjelly encoding once": lambda: spikingjelly_step(encodes_once=True),
    "snntorch": snntorch_step,
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.benchmark(group="one training step, 20 time steps, batch of 64")
def test_training_step(benchmark, name):
    benchmark(STEPS[name]())


@pytest.mark.parametrize("timesteps", [5, 10, 20, 40])
@pytest.mark.benchmark(group="over time steps")
def test_over_timesteps(benchmark, timesteps):
    benchmark(plain_step(DSR(timesteps)))


@pytest.mark.parametrize("dims", [0, 100, 200, 400, 700])
@pytest.mark.benchmark(group="over dimensions that are projected out of each layer")
def test_over_dimensions(benchmark, dims):
    benchmark(projecting_step(dims, learns=False))


@pytest.mark.parametrize("rule", [DSR(20), BPTT(6)], ids=["weighted rates", "spikes of 6 steps"])
@pytest.mark.benchmark(group="projecting and learning, by what is learned from")
def test_learning_from(benchmark, rule):
    benchmark(projecting_step(rule=rule))


def medians(steps, repetitions):
    """Median seconds of each step, taking turns, so that what else the machine does falls on all alike."""
    seconds = [[] for _ in steps]
    for repetition in range(-2, repetitions):
        for one, step in zip(seconds, steps, strict=True):
            start = time.perf_counter()
            step()
            if repetition >= 0:
                one.append(time.perf_counter() - start)
    return [statistics.median(one) for one in seconds]


@pytest.mark.timed
def test_a_step_takes_at_most_two_thirds_of_the_time_that_it_takes_in_spikingjelly(record_property):
    ours, *theirs = medians([plain_step(), spikingjelly_step(), spikingjelly_step(encodes_once=True)], 15)
    record_property("ratio", ours / min(theirs))
    assert ours <= 2 / 3 * min(theirs)


@pytest.mark.timed
def test_cost_grows_no_faster_than_the_number_of_time_steps():
    few, many = medians([plain_step(DSR(10)), plain_step(DSR(40))], 9)
    assert many <= 1.3 * 4 * few
