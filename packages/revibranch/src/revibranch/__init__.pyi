from .configs import PolicyConfig as PolicyConfig
from .configs import ScipConfig as ScipConfig
from .configs import TrainConfig as TrainConfig

__all__ = ["PolicyConfig", "ScipConfig", "TrainConfig"]
