from .augmentation import augment as augment
from .classifier import CounterCurrentClassifier as CounterCurrentClassifier
from .configs import DataShape as DataShape
from .configs import LossConfig as LossConfig
from .configs import NetworkConfig as NetworkConfig
from .configs import RunConfig as RunConfig
from .configs import TargetConfig as TargetConfig
from .configs import TrainConfig as TrainConfig
from .configs import preset as preset
from .diagnostics.alignment import alignment_map as alignment_map
from .diagnostics.alignment import cka_matrix as cka_matrix
from .diagnostics.alignment import linear_cka as linear_cka
from .diagnostics.alignment import top_alignment as top_alignment
from .diagnostics.alignment import weight_alignment as weight_alignment
from .diagnostics.features import embed as embed
from .diagnostics.features import penultimate_features as penultimate_features
from .diagnostics.flops import bp_flops as bp_flops
from .diagnostics.flops import ccl_flops as ccl_flops
from .diagnostics.flops import count_training_flops as count_training_flops
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .export import save_onnx as save_onnx
from .gradients import centralize_gradients as centralize_gradients
from .gradients import clip_gradients as clip_gradients
from .losses.pairs import LocalLoss as LocalLoss
from .losses.pairs import classification_loss as classification_loss
from .losses.pairs import cosine_loss as cosine_loss
from .losses.pairs import dot_loss as dot_loss
from .losses.pairs import pairwise_loss as pairwise_loss
from .losses.reconstruction import reconstruction_loss as reconstruction_loss
from .networks.architectures import make_mlp as make_mlp
from .networks.architectures import make_network as make_network
from .networks.dual import CounterCurrentNetwork as CounterCurrentNetwork
from .networks.dual import Standardize as Standardize
from .networks.layers import CounterCurrentBlock as CounterCurrentBlock
from .networks.layers import CounterCurrentConv2d as CounterCurrentConv2d
from .networks.layers import CounterCurrentFlatten as CounterCurrentFlatten
from .networks.layers import CounterCurrentLayer as CounterCurrentLayer
from .networks.layers import CounterCurrentLinear as CounterCurrentLinear
from .networks.layers import CounterCurrentPool2d as CounterCurrentPool2d
from .networks.mirrored import counter_current as counter_current
from .rules.bp import BackPropagation as BackPropagation
from .rules.ccl import CounterCurrent as CounterCurrent
from .rules.direct_feedback_alignment import DirectFeedbackAlignment as DirectFeedbackAlignment
from .rules.drtp import DirectRandomTargetProjection as DirectRandomTargetProjection
from .rules.dtp import DifferenceTargetPropagation as DifferenceTargetPropagation
from .rules.feedback_alignment import FeedbackAlignment as FeedbackAlignment
from .rules.feedback_alignment import FeedbackAlignmentConv2d as FeedbackAlignmentConv2d
from .rules.feedback_alignment import FeedbackAlignmentLinear as FeedbackAlignmentLinear
from .rules.feedback_alignment import feedback_alignment as feedback_alignment
from .rules.fw_dtp import FixedWeightTargetPropagation as FixedWeightTargetPropagation
from .rules.output_only import OutputOnly as OutputOnly
from .rules.registry import make_rule as make_rule
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import save as save
from .runs import train as train
from .training import Trainer as Trainer

__all__ = [
    "BackPropagation",
    "CounterCurrent",
    "CounterCurrentBlock",
    "CounterCurrentClassifier",
    "CounterCurrentConv2d",
    "CounterCurrentFlatten",
    "CounterCurrentLayer",
    "CounterCurrentLinear",
    "CounterCurrentNetwork",
    "CounterCurrentPool2d",
    "DataShape",
    "DifferenceTargetPropagation",
    "DirectFeedbackAlignment",
    "DirectRandomTargetProjection",
    "EvaluationReport",
    "FeedbackAlignment",
    "FeedbackAlignmentConv2d",
    "FeedbackAlignmentLinear",
    "FixedWeightTargetPropagation",
    "LocalLoss",
    "LossConfig",
    "NetworkConfig",
    "OutputOnly",
    "RunConfig",
    "Standardize",
    "TargetConfig",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "alignment_map",
    "augment",
    "bp_flops",
    "ccl_flops",
    "centralize_gradients",
    "cka_matrix",
    "classification_loss",
    "clip_gradients",
    "cosine_loss",
    "count_training_flops",
    "counter_current",
    "dot_loss",
    "embed",
    "evaluate",
    "feedback_alignment",
    "linear_cka",
    "load",
    "make_mlp",
    "make_network",
    "make_rule",
    "pairwise_loss",
    "penultimate_features",
    "predict",
    "preset",
    "reconstruction_loss",
    "save",
    "save_onnx",
    "top_alignment",
    "train",
    "weight_alignment",
]
