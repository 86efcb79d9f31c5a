from .baselines.adjoint import AdjointClassifier as AdjointClassifier
from .baselines.forward_forward import ForwardForward as ForwardForward
from .baselines.unrolled import BackpropUnrolled as BackpropUnrolled
from .block_files import assemble as assemble
from .block_files import train_block as train_block
from .blocks import ConfiguredBlocks as ConfiguredBlocks
from .blocks import ConvStack as ConvStack
from .blocks import DenoisingBlock as DenoisingBlock
from .blocks import LabelBranch as LabelBranch
from .blocks import TimeBranch as TimeBranch
from .chain import accuracy_by_steps as accuracy_by_steps
from .chain import chain_accuracy as chain_accuracy
from .classifier import NoPropClassifier as NoPropClassifier
from .configs import DataConfig as DataConfig
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import SamplerConfig as SamplerConfig
from .configs import SampleShape as SampleShape
from .configs import TrainConfig as TrainConfig
from .continuous import NoPropCT as NoPropCT
from .discrete import NoPropDT as NoPropDT
from .embeddings import ClassEmbedding as ClassEmbedding
from .embeddings import prototype_indices as prototype_indices
from .export import save_onnx as save_onnx
from .flow_matching import NoPropFM as NoPropFM
from .heads import LinearHead as LinearHead
from .heads import RadialHead as RadialHead
from .learned_schedule import LearnedSchedule as LearnedSchedule
from .memory import held_for_backward as held_for_backward
from .models import make_model as make_model
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import load_data as load_data
from .runs import save as save
from .runs import train as train
from .samplers import ancestral as ancestral
from .samplers import integrate as integrate
from .samplers import probability_flow as probability_flow
from .schedules import CosineSchedule as CosineSchedule
from .schedules import Schedule as Schedule
from .schedules import posterior_between as posterior_between
from .training.blockwise import BlockwiseTrainer as BlockwiseTrainer
from .training.blockwise import SingleBlockTrainer as SingleBlockTrainer
from .training.blockwise import make_trainer as make_trainer
from .training.stacked import StackedBlocks as StackedBlocks
from .training.trainer import Trainer as Trainer
from .training.trainer import evaluate as evaluate

__all__ = [
    "AdjointClassifier",
    "BackpropUnrolled",
    "BlockwiseTrainer",
    "ClassEmbedding",
    "ConfiguredBlocks",
    "ConvStack",
    "CosineSchedule",
    "DataConfig",
    "DenoisingBlock",
    "ForwardForward",
    "LabelBranch",
    "LearnedSchedule",
    "LinearHead",
    "ModelConfig",
    "NoPropCT",
    "NoPropClassifier",
    "NoPropDT",
    "NoPropFM",
    "RadialHead",
    "RunConfig",
    "SampleShape",
    "SamplerConfig",
    "Schedule",
    "SingleBlockTrainer",
    "StackedBlocks",
    "TimeBranch",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "accuracy_by_steps",
    "ancestral",
    "assemble",
    "chain_accuracy",
    "evaluate",
    "held_for_backward",
    "integrate",
    "load",
    "load_data",
    "make_model",
    "make_trainer",
    "posterior_between",
    "probability_flow",
    "prototype_indices",
    "save",
    "save_onnx",
    "train",
    "train_block",
]
