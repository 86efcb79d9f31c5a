from .budgets import chosen_budgets as chosen_budgets
from .budgets import chosen_curve as chosen_curve
from .configs import DataConfig as DataConfig
from .configs import FeatureConfig as FeatureConfig
from .configs import FitConfig as FitConfig
from .configs import NetworkConfig as NetworkConfig
from .features import RandomFeatures as RandomFeatures
from .filters import filter_factors as filter_factors
from .filters import momentum_factors as momentum_factors
from .fitting import FitResult as FitResult
from .fitting import fit as fit
from .fitting import gd_path as gd_path
from .minimal import MinimalDemo as MinimalDemo
from .minimal import minimal_demo as minimal_demo
from .network_sweep import network_sweep as network_sweep
from .peaks import Peak as Peak
from .peaks import find_peak as find_peak
from .peaks import largest_rise as largest_rise
from .report import BudgetRow as BudgetRow
from .report import PeakReport as PeakReport
from .report import noise_gain as noise_gain
from .report import peak_report as peak_report
from .ridge import ridge_path as ridge_path
from .ridge import tuned_ridge as tuned_ridge
from .samples import Samples as Samples
from .samples import Source as Source
from .samples import draw as draw
from .samples import load_source as load_source
from .samples import source_of as source_of
from .spectra import Spectrum as Spectrum
from .spectra import condition_number as condition_number
from .spectra import spectrum as spectrum
from .sweep import SweepResult as SweepResult
from .sweep import capacity_sweep as capacity_sweep
from .tangent_kernel import ntk_spectrum as ntk_spectrum
from .two_layer import TwoLayerNet as TwoLayerNet
from .two_layer import n_parameters as n_parameters
from .two_layer import train_two_layer as train_two_layer

__all__ = [
    "BudgetRow",
    "DataConfig",
    "FeatureConfig",
    "FitConfig",
    "FitResult",
    "MinimalDemo",
    "NetworkConfig",
    "Peak",
    "PeakReport",
    "RandomFeatures",
    "Samples",
    "Source",
    "Spectrum",
    "SweepResult",
    "TwoLayerNet",
    "capacity_sweep",
    "chosen_budgets",
    "chosen_curve",
    "condition_number",
    "draw",
    "filter_factors",
    "find_peak",
    "fit",
    "gd_path",
    "largest_rise",
    "load_source",
    "minimal_demo",
    "momentum_factors",
    "n_parameters",
    "network_sweep",
    "noise_gain",
    "ntk_spectrum",
    "peak_report",
    "ridge_path",
    "source_of",
    "spectrum",
    "train_two_layer",
    "tuned_ridge",
]
