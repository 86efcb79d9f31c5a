from .conditional import ConditionalLinear as ConditionalLinear
from .conditional import Gater as Gater
from .conditional import conditional_layers as conditional_layers
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .conversion import add_gates as add_gates
from .conversion import replace_activations as replace_activations
from .cost import Cost as Cost
from .cost import Speed as Speed
from .cost import count_macs as count_macs
from .cost import measure_speed as measure_speed
from .cost import set_activity as set_activity
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import activity_of as activity_of
from .evaluation import evaluate as evaluate
from .evaluation import gates_of as gates_of
from .evaluation import predict as predict
from .exact import Moments as Moments
from .exact import exact_expectation as exact_expectation
from .exact import exact_gradient as exact_gradient
from .exact import exact_moments as exact_moments
from .exact import exact_optimal_baseline as exact_optimal_baseline
from .export import save_onnx as save_onnx
from .functions import function_from as function_from
from .functions import make_function as make_function
from .networks import ConditionalNetwork as ConditionalNetwork
from .networks import make_network as make_network
from .neuron import StochasticNeuron as StochasticNeuron
from .neuron import seed_neurons as seed_neurons
from .neuron import set_inference as set_inference
from .neuron import stochastic_neurons as stochastic_neurons
from .noise_injection import MultiplicativeNoise as MultiplicativeNoise
from .noise_injection import NoisyHardSigmoid as NoisyHardSigmoid
from .noise_injection import NoisyRectifier as NoisyRectifier
from .noise_injection import NoisySigmoid as NoisySigmoid
from .noise_injection import Rectifier as Rectifier
from .norms import max_norm_ as max_norm_
from .registry import available_neurons as available_neurons
from .registry import make_neuron as make_neuron
from .reinforce import UnbiasedBernoulli as UnbiasedBernoulli
from .reinforce import optimal_baseline as optimal_baseline
from .reinforce import score_function_loss as score_function_loss
from .reinforce import stochastic_backward as stochastic_backward
from .runs import load as load
from .runs import save as save
from .runs import train as train
from .smooth_times_stochastic import SmoothTimesStochastic as SmoothTimesStochastic
from .sparsity import GateActivity as GateActivity
from .sparsity import distinct_patterns as distinct_patterns
from .sparsity import gate_activity as gate_activity
from .sparsity import sparsity_penalty as sparsity_penalty
from .statistics import EstimatorStatistics as EstimatorStatistics
from .statistics import estimator_statistics as estimator_statistics
from .statistics import gradient_samples as gradient_samples
from .statistics import pathwise_target as pathwise_target
from .straight_through import RelaxedBernoulli as RelaxedBernoulli
from .straight_through import StraightThroughBernoulli as StraightThroughBernoulli
from .training import Trainer as Trainer
from .training import network_penalty as network_penalty
from .training import parameter_groups as parameter_groups

__all__ = [
    "ConditionalLinear",
    "ConditionalNetwork",
    "Cost",
    "EstimatorStatistics",
    "EvaluationReport",
    "GateActivity",
    "Gater",
    "ModelConfig",
    "Moments",
    "MultiplicativeNoise",
    "NoisyHardSigmoid",
    "NoisyRectifier",
    "NoisySigmoid",
    "Rectifier",
    "RelaxedBernoulli",
    "RunConfig",
    "SmoothTimesStochastic",
    "Speed",
    "StochasticNeuron",
    "StraightThroughBernoulli",
    "TrainConfig",
    "Trainer",
    "UnbiasedBernoulli",
    "activity_of",
    "add_gates",
    "available_neurons",
    "conditional_layers",
    "count_macs",
    "distinct_patterns",
    "estimator_statistics",
    "evaluate",
    "exact_expectation",
    "exact_gradient",
    "exact_moments",
    "exact_optimal_baseline",
    "function_from",
    "gate_activity",
    "gates_of",
    "gradient_samples",
    "load",
    "make_function",
    "make_network",
    "make_neuron",
    "max_norm_",
    "measure_speed",
    "network_penalty",
    "optimal_baseline",
    "parameter_groups",
    "pathwise_target",
    "predict",
    "replace_activations",
    "save",
    "save_onnx",
    "score_function_loss",
    "seed_neurons",
    "set_activity",
    "set_inference",
    "sparsity_penalty",
    "stochastic_backward",
    "stochastic_neurons",
    "train",
]
