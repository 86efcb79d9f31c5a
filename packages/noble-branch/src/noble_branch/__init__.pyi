from .activations import ACTIVATIONS as ACTIVATIONS
from .activations import CosNet as CosNet
from .activations import make_activation as make_activation
from .branch import NonlinearLowRankBranch as NonlinearLowRankBranch
from .configs import BranchConfig as BranchConfig
from .configs import MethodConfig as MethodConfig
from .configs import RunConfig as RunConfig
from .configs import TaskConfig as TaskConfig
from .configs import TrainConfig as TrainConfig
from .configs import TransformerConfig as TransformerConfig
from .conversion import Branched as Branched
from .conversion import add_branches as add_branches
from .conversion import branch_param_groups as branch_param_groups
from .conversion import in_blocks as in_blocks
from .conversion import load_plain as load_plain
from .conversion import remove_branches as remove_branches
from .cost import OverheadReport as OverheadReport
from .cost import overhead as overhead
from .linear import BranchedLinear as BranchedLinear
from .runs import Trained as Trained
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import save as save
from .runs import train as train
from .speedup import SpeedupResult as SpeedupResult
from .speedup import step_speedup as step_speedup

__all__ = [
    "ACTIVATIONS",
    "BranchConfig",
    "Branched",
    "BranchedLinear",
    "CosNet",
    "MethodConfig",
    "NonlinearLowRankBranch",
    "OverheadReport",
    "RunConfig",
    "SpeedupResult",
    "TaskConfig",
    "TrainConfig",
    "TrainReport",
    "Trained",
    "TransformerConfig",
    "add_branches",
    "branch_param_groups",
    "in_blocks",
    "load",
    "load_plain",
    "make_activation",
    "overhead",
    "remove_branches",
    "save",
    "step_speedup",
    "train",
]
