from .baselines.bireal import BiRealConv2d as BiRealConv2d
from .baselines.bireal import BiRealLinear as BiRealLinear
from .baselines.recu import ReCUConv2d as ReCUConv2d
from .baselines.recu import ReCULinear as ReCULinear
from .baselines.ste import STEConv2d as STEConv2d
from .baselines.ste import STELinear as STELinear
from .baselines.xnor import XNORConv2d as XNORConv2d
from .baselines.xnor import XNORLinear as XNORLinear
from .binarizers import scale_by_deviation as scale_by_deviation
from .binarizers import sgn as sgn
from .binarizers import sign_activation as sign_activation
from .binarizers import sign_ste as sign_ste
from .binarizers import sine as sine
from .binarizers import square_wave as square_wave
from .configs import DataShape as DataShape
from .configs import ModelConfig as ModelConfig
from .configs import TwoStageConfig as TwoStageConfig
from .conversion import binarize as binarize
from .conversion import to_stage2 as to_stage2
from .evaluation import EvaluationReport as EvaluationReport
from .evaluation import evaluate as evaluate
from .evaluation import predict as predict
from .export import save_onnx as save_onnx
from .frozen import Sign as Sign
from .frozen import freeze as freeze
from .gradients import cosine as cosine
from .gradients import finite_difference_gradient as finite_difference_gradient
from .gradients import smoothed_gradient as smoothed_gradient
from .gradients import zero_gradient_share as zero_gradient_share
from .layers import BinaryLayer as BinaryLayer
from .layers import BiPerConv2d as BiPerConv2d
from .layers import BiPerLinear as BiPerLinear
from .layers import after_update as after_update
from .layers import begin_epoch as begin_epoch
from .layers import binary_layers as binary_layers
from .methods import METHODS as METHODS
from .methods import make_layer as make_layer
from .networks import ResNet as ResNet
from .networks import VGGSmall as VGGSmall
from .networks import make_float_network as make_float_network
from .networks import make_network as make_network
from .packed_file import load_packed as load_packed
from .packed_file import save_packed as save_packed
from .packed_layers import PackedLayer as PackedLayer
from .packed_layers import pack_bits as pack_bits
from .packed_layers import unpack_bits as unpack_bits
from .packing import PackedModel as PackedModel
from .packing import pack as pack
from .quantization import fit_laplace as fit_laplace
from .quantization import laplace_error as laplace_error
from .quantization import quantization_error as quantization_error
from .quantization import quantization_errors as quantization_errors
from .regularizer import biper_regularizer as biper_regularizer
from .runs import load as load
from .runs import save as save
from .schedules import learning_rate as learning_rate
from .training import TwoStageTrainer as TwoStageTrainer

__all__ = [
    "METHODS",
    "BiPerConv2d",
    "BiPerLinear",
    "BiRealConv2d",
    "BiRealLinear",
    "BinaryLayer",
    "DataShape",
    "EvaluationReport",
    "ModelConfig",
    "PackedLayer",
    "PackedModel",
    "ReCUConv2d",
    "ReCULinear",
    "ResNet",
    "STEConv2d",
    "STELinear",
    "Sign",
    "TwoStageConfig",
    "TwoStageTrainer",
    "VGGSmall",
    "XNORConv2d",
    "XNORLinear",
    "after_update",
    "begin_epoch",
    "binarize",
    "binary_layers",
    "biper_regularizer",
    "cosine",
    "evaluate",
    "finite_difference_gradient",
    "fit_laplace",
    "freeze",
    "laplace_error",
    "learning_rate",
    "load",
    "load_packed",
    "make_float_network",
    "make_layer",
    "make_network",
    "pack",
    "pack_bits",
    "predict",
    "quantization_error",
    "quantization_errors",
    "save",
    "save_onnx",
    "save_packed",
    "scale_by_deviation",
    "sgn",
    "sign_activation",
    "sign_ste",
    "sine",
    "smoothed_gradient",
    "square_wave",
    "to_stage2",
    "unpack_bits",
    "zero_gradient_share",
]
