from .configs import BudgetConfig as BudgetConfig
from .configs import LayerConfig as LayerConfig
from .configs import RunConfig as RunConfig
from .configs import SearchConfig as SearchConfig
from .configs import TrainConfig as TrainConfig
from .costs.counting import Cost as Cost
from .costs.counting import count as count
from .costs.counting import count_family as count_family
from .costs.counting import measured_flops as measured_flops
from .costs.matching import BudgetError as BudgetError
from .costs.matching import Match as Match
from .costs.matching import match as match
from .costs.timing import StepProfile as StepProfile
from .costs.timing import Timing as Timing
from .costs.timing import profile_step as profile_step
from .export import save_onnx as save_onnx
from .models.bspline_kan import BSplineKAN as BSplineKAN
from .models.bspline_kan import BSplineKANLinear as BSplineKANLinear
from .models.bspline_kan import PerEdgeKAN as PerEdgeKAN
from .models.bspline_kan import PerEdgeKANLinear as PerEdgeKANLinear
from .models.bspline_mlp import BSplineActivation as BSplineActivation
from .models.bspline_mlp import BSplineMLP as BSplineMLP
from .models.family import ModelFamily as ModelFamily
from .models.formulas import bspline_mlp_flops as bspline_mlp_flops
from .models.formulas import bspline_mlp_parameters as bspline_mlp_parameters
from .models.formulas import kan_flops as kan_flops
from .models.formulas import kan_parameters as kan_parameters
from .models.formulas import mlp_flops as mlp_flops
from .models.formulas import mlp_parameters as mlp_parameters
from .models.mlp import MLP as MLP
from .models.registry import available_models as available_models
from .models.registry import build as build
from .models.registry import get_family as get_family
from .models.registry import register_model as register_model
from .models.splines import spline_basis as spline_basis
from .protocol.comparison import Comparison as Comparison
from .protocol.comparison import Entry as Entry
from .protocol.comparison import compare as compare
from .protocol.growth import Growth as Growth
from .protocol.growth import grow as grow
from .protocol.growth import growth_trials as growth_trials
from .protocol.members import MemberData as MemberData
from .protocol.members import Separate as Separate
from .protocol.members import Stacked as Stacked
from .protocol.overhead import Overhead as Overhead
from .protocol.overhead import measure_overhead as measure_overhead
from .protocol.pareto import best_per_bin as best_per_bin
from .protocol.pareto import pareto_front as pareto_front
from .protocol.scaling import Scaling as Scaling
from .protocol.scaling import scaling_exponent as scaling_exponent
from .protocol.statistics import Difference as Difference
from .protocol.statistics import bootstrap_interval as bootstrap_interval
from .protocol.statistics import outcome as outcome
from .protocol.statistics import paired as paired
from .protocol.statistics import student_interval as student_interval
from .protocol.statistics import wilcoxon as wilcoxon
from .protocol.training import Fit as Fit
from .protocol.training import train_members as train_members
from .protocol.trials import Trial as Trial
from .protocol.trials import run_trial as run_trial
from .protocol.verdicts import Rule as Rule
from .protocol.verdicts import Verdict as Verdict
from .protocol.verdicts import fit_rule as fit_rule
from .protocol.verdicts import judge as judge
from .report.drawing import draw_advantages as draw_advantages
from .report.drawing import draw_pareto as draw_pareto
from .report.drawing import draw_ratios as draw_ratios
from .report.drawing import draw_scaling as draw_scaling
from .report.folder import load as load
from .report.folder import write as write
from .tasks.files import load_file as load_file
from .tasks.suites import load_task as load_task
from .tasks.symbolic import load_symbolic as load_symbolic
from .tasks.targets import load_target as load_target
from .tasks.task import Samples as Samples
from .tasks.task import Task as Task
from .tasks.task import make_task as make_task
from .tasks.text import load_corpus as load_corpus
from .tasks.text import load_stdlib as load_stdlib

__all__ = [
    "MLP",
    "BSplineActivation",
    "BSplineKAN",
    "BSplineKANLinear",
    "BSplineMLP",
    "BudgetConfig",
    "BudgetError",
    "Comparison",
    "Cost",
    "Difference",
    "Entry",
    "Fit",
    "Growth",
    "LayerConfig",
    "Match",
    "MemberData",
    "ModelFamily",
    "Overhead",
    "PerEdgeKAN",
    "PerEdgeKANLinear",
    "Rule",
    "RunConfig",
    "Samples",
    "Scaling",
    "SearchConfig",
    "Separate",
    "Stacked",
    "StepProfile",
    "Task",
    "Timing",
    "TrainConfig",
    "Trial",
    "Verdict",
    "available_models",
    "best_per_bin",
    "bootstrap_interval",
    "bspline_mlp_flops",
    "bspline_mlp_parameters",
    "build",
    "compare",
    "count",
    "count_family",
    "draw_advantages",
    "draw_pareto",
    "draw_ratios",
    "draw_scaling",
    "fit_rule",
    "get_family",
    "grow",
    "growth_trials",
    "judge",
    "kan_flops",
    "kan_parameters",
    "load",
    "load_corpus",
    "load_file",
    "load_stdlib",
    "load_symbolic",
    "load_target",
    "load_task",
    "make_task",
    "match",
    "measure_overhead",
    "measured_flops",
    "mlp_flops",
    "mlp_parameters",
    "outcome",
    "paired",
    "pareto_front",
    "profile_step",
    "register_model",
    "run_trial",
    "save_onnx",
    "scaling_exponent",
    "spline_basis",
    "student_interval",
    "train_members",
    "wilcoxon",
    "write",
]
