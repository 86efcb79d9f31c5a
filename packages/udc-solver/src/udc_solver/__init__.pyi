from .configs import TrainConfig as TrainConfig
from .rules import hebb_step as hebb_step
from .rules import oja_step as oja_step
from .rules import train as train

__all__ = ["TrainConfig", "hebb_step", "oja_step", "train"]
