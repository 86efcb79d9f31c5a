from .checkpoints import from_pretrained as from_pretrained
from .configs import ConquerorConfig as ConquerorConfig
from .configs import DividerConfig as DividerConfig
from .configs import SolverConfig as SolverConfig
from .configs import TrainConfig as TrainConfig
from .divider import Divider as Divider
from .dividers import RuleDivider as RuleDivider
from .instances import Coordinates as Coordinates
from .instances import Matrix as Matrix
from .instances import Routing as Routing
from .instances import Salesmen as Salesmen
from .problems import get_problem as get_problem
from .problems.problem import Division as Division
from .problems.problem import Problem as Problem
from .problems.problem import State as State
from .problems.problem import register_problem as register_problem
from .selections import Items as Items
from .selections import Networks as Networks
from .selections import Orienteering as Orienteering
from .selections import PrizeCollecting as PrizeCollecting
from .selections import StochasticPrizes as StochasticPrizes
from .solver import UDC as UDC
from .solver import Solution as Solution
from .solver import load as load
from .solver import make_solver as make_solver
from .solver import save as save
from .training import Trainer as Trainer

__all__ = [
    "UDC",
    "ConquerorConfig",
    "Coordinates",
    "Divider",
    "DividerConfig",
    "Division",
    "Items",
    "Matrix",
    "Networks",
    "Orienteering",
    "PrizeCollecting",
    "Problem",
    "Routing",
    "RuleDivider",
    "Salesmen",
    "Solution",
    "SolverConfig",
    "State",
    "StochasticPrizes",
    "TrainConfig",
    "Trainer",
    "from_pretrained",
    "get_problem",
    "load",
    "make_solver",
    "register_problem",
    "save",
]
