"""The main model of each package, small, with inputs: what other packages draw and compare.

A function imports its package only when it is called: tests of other packages run without it.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

Example = tuple[nn.Module, tuple[Tensor, ...]]


def af_kan() -> Example:
    from af_kan import AFKAN

    return AFKAN([12, 6, 3]), (torch.randn(5, 12),)


def biper() -> Example:
    from biper import DataShape, ModelConfig, make_network

    return make_network(ModelConfig("resnet8", width=0.25), DataShape(1, 14, 10)), (torch.randn(4, 1, 14, 14),)


def convergent_learning() -> Example:
    from convergent_learning import make_network

    return make_network(seed=0), (torch.randn(4, 1, 28, 28),)


def counter_current() -> Example:
    from counter_current import make_mlp

    return make_mlp([12, 8, 3]).plain(), (torch.randn(5, 12),)


def deeponet() -> Example:
    from deeponet import DeepONet

    return DeepONet([10, 16, 8], [2, 16, 8]), (torch.randn(5, 10), torch.randn(5, 2))


def dendritic_backprop() -> Example:
    from dendritic_backprop import NetworkConfig, make_network

    return make_network(NetworkConfig(), (12,), 3), (torch.randn(5, 12),)


def double_descent() -> Example:
    from double_descent import TwoLayerNet

    model = TwoLayerNet(7, 12, 3)
    return model, (torch.randn(5, 7, dtype=next(model.parameters()).dtype),)


def dualformer() -> Example:
    from dualformer import EncoderDecoderConfig, make_model

    config = EncoderDecoderConfig(vocab_size=30, dim=16, n_layers=2, n_heads=2)
    tokens = torch.randint(30, (3, 9))
    return make_model(config, seed=0), (tokens, torch.ones(3, 9, dtype=torch.bool), torch.randint(30, (3, 7)))


def epochwise_descent() -> Example:
    from epochwise_descent import NetworkConfig, make_network

    return make_network(NetworkConfig(), (3, 16, 16), 10), (torch.randn(2, 3, 16, 16),)


def fixer3d() -> Example:
    from fixer3d import FixerModel, ModelConfig

    config = ModelConfig().flow
    x = torch.randn(2, config.in_channels, *[config.resolution] * 3)
    return FixerModel(ModelConfig()).prior, (x, torch.rand(2), torch.randn(2, 5, config.cond_width))


def kan_assessment() -> Example:
    from kan_assessment import BSplineKAN

    return BSplineKAN([4, 5, 2]), (torch.randn(6, 4),)


def mgno() -> Example:
    from mgno import DataShape, ModelConfig, make_operator

    return make_operator(ModelConfig(width=4), DataShape(1, 1, 16, 16)), (torch.randn(2, 1, 16, 16),)


def mip_hypernet() -> Example:
    from mip_hypernet import HyperNetwork

    class OfGamma(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = HyperNetwork({"gamma": (2,)}, {"weight": (4, 3)}, hidden_sizes=(8, 16))

        def forward(self, gamma: Tensor) -> Tensor:
            return self.network(gamma=gamma)["weight"]

    return OfGamma(), (torch.rand(2),)


def modular_addition() -> Example:
    from modular_addition import ModularAdditionNet

    return ModularAdditionNet(7, 12), (torch.randint(7, (5, 2)),)


def mt_deeponet() -> Example:
    from mt_deeponet import MaskedDeepONet

    return MaskedDeepONet(nn.Linear(6, 4), nn.Linear(2, 4)), (torch.randn(3, 6), torch.randn(8, 2))


def ncap_swimmer() -> Example:
    from ncap_swimmer import SwimmerCircuit, network_from_circuit

    return network_from_circuit(SwimmerCircuit(5), "dorsal"), (torch.randn(2, 5),)


def noble_branch() -> Example:
    from noble_branch import BranchedLinear

    return BranchedLinear(12, 8, rank=3), (torch.randn(5, 12),)


def noprop() -> Example:
    from noprop import ModelConfig, SampleShape, make_model

    return make_model(ModelConfig(width=16, n_steps=3), SampleShape((1, 8, 8), tuple("abcdefghij"))), (
        torch.randn(2, 1, 8, 8),
    )


def opposing_signals() -> Example:
    from opposing_signals import make_resnet

    return make_resnet(3, 10, width=4), (torch.randn(2, 3, 32, 32),)


def relinear() -> Example:
    from relinear import make_mlp

    return make_mlp([12, 8, 3]), (torch.randn(5, 12),)


def revibranch() -> Example:
    from revibranch import GraphBatch, PolicyConfig, ReviBranchPolicy

    class OfTensors(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.policy = ReviBranchPolicy(PolicyConfig(16, 2, 1, 32, memory_length=4))

        def forward(self, variables: Tensor, rows: Tensor, coefficients: Tensor, memory: Tensor) -> Tensor:
            graphs = GraphBatch(variables, rows, edges, coefficients, of[:6], of[:4], of[:3], of[:3], 1)
            return self.policy(graphs, memory)

    edges = torch.tensor([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 0, 1]])
    of = torch.zeros(6, dtype=torch.long)
    return OfTensors(), (torch.randn(6, 19), torch.randn(4, 14), torch.randn(6, 1), torch.randn(1, 2, 16))


def s_kan() -> Example:
    from s_kan import SKAN

    return SKAN([4, 5, 2]), (torch.randn(6, 4),)


def snn_continual() -> Example:
    from snn_continual import DSR, SpikingMLP

    return SpikingMLP((12, 8, 3), DSR(timesteps=4)), (torch.randn(5, 12),)


def stochastic_neurons() -> Example:
    from stochastic_neurons import ModelConfig, make_network

    model = make_network(ModelConfig(experts=20, gater_hidden=8), (12,), 3)
    model.conditional.gater.neuron.inference = "threshold"
    return model, (torch.randn(5, 12),)


def udc_solver() -> Example:
    from udc_solver import Divider, DividerConfig, get_problem

    problem = get_problem("tsp")
    graph = problem.graph(problem.generate(12, 2, torch.Generator().manual_seed(0)), 4)

    class OfFeatures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = Divider(problem, DividerConfig(units=8, depth=2)).network

        def forward(self, x: Tensor, edges: Tensor) -> Tensor:
            return self.network(replace(graph, x=x, edges=edges))[0]

    return OfFeatures(), (graph.x, graph.edges)
