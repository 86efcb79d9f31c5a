from . import arrays as arrays
from . import cli as cli
from . import data as data
from . import evidence as evidence
from . import experiments as experiments
from . import extras as extras
from . import files as files
from . import labeled as labeled
from . import models as models
from . import onnx as onnx
from . import papers as papers
from . import pde as pde
from . import pictures as pictures
from . import plots as plots
from . import readme as readme
from . import report as report
from . import sweep as sweep
from . import training as training
from .experiments import Unmeasured as Unmeasured
from .experiments import experiment as experiment
from .paper import Claim as Claim
from .paper import Paper as Paper
from .paper import Reference as Reference
from .run import Run as Run

__all__ = [
    "Claim",
    "Paper",
    "Reference",
    "Run",
    "Unmeasured",
    "arrays",
    "cli",
    "data",
    "evidence",
    "experiment",
    "experiments",
    "extras",
    "files",
    "labeled",
    "models",
    "onnx",
    "papers",
    "pde",
    "pictures",
    "plots",
    "readme",
    "report",
    "sweep",
    "training",
]
