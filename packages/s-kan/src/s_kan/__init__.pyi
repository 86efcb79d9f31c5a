from .baselines.convnets import CNN as CNN
from .baselines.convnets import ConvKAN as ConvKAN
from .baselines.kan import KAN as KAN
from .baselines.kan import KANConv2d as KANConv2d
from .baselines.kan import KANLinear as KANLinear
from .bases.base import Basis as Basis
from .bases.registry import available_bases as available_bases
from .bases.registry import make_basis as make_basis
from .bases.registry import register_basis as register_basis
from .configs import LayerConfig as LayerConfig
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import StageConfig as StageConfig
from .configs import TrainConfig as TrainConfig
from .convolution import SKANConv2d as SKANConv2d
from .linear import SKANLinear as SKANLinear
from .networks import SKAN as SKAN
from .networks import ImageNetwork as ImageNetwork
from .networks import SConvKAN as SConvKAN
from .pool import Pool as Pool
from .pool import make_pool as make_pool

__all__ = [
    "CNN",
    "KAN",
    "SKAN",
    "Basis",
    "ConvKAN",
    "ImageNetwork",
    "KANConv2d",
    "KANLinear",
    "LayerConfig",
    "ModelConfig",
    "Pool",
    "RunConfig",
    "SConvKAN",
    "SKANConv2d",
    "SKANLinear",
    "StageConfig",
    "TrainConfig",
    "available_bases",
    "make_basis",
    "make_pool",
    "register_basis",
]
