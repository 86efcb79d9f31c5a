from .advection import advect_periodic as advect_periodic
from .advection import wendroff as wendroff
from .advection import wendroff_periodic as wendroff_periodic
from .advection_diffusion import solve_advection_diffusion as solve_advection_diffusion
from .antiderivatives import antiderivative as antiderivative
from .diffusion_reaction import solve_advection_diffusion_reaction as solve_advection_diffusion_reaction
from .diffusion_reaction import solve_diffusion_reaction as solve_diffusion_reaction
from .elliptic import solve_darcy as solve_darcy
from .elliptic import solve_masked as solve_masked
from .errors import RelativeH1 as RelativeH1
from .errors import h1_norm as h1_norm
from .errors import mse_without_outliers as mse_without_outliers
from .errors import relative_h1 as relative_h1
from .errors import relative_l2 as relative_l2
from .fields import RBF as RBF
from .fields import GaussianField as GaussianField
from .fields import Kernel as Kernel
from .fields import Matern12 as Matern12
from .fields import karhunen_loeve as karhunen_loeve
from .fields import sample_product as sample_product
from .fields import wasserstein2 as wasserstein2
from .helmholtz import solve_helmholtz as solve_helmholtz
from .interpolation import interpolate as interpolate
from .navier_stokes import solve_navier_stokes as solve_navier_stokes
from .normalizers import GaussianNormalizer as GaussianNormalizer
from .normalizers import MinMaxNormalizer as MinMaxNormalizer
from .ode import nonlinear_ode as nonlinear_ode
from .ode import pendulum as pendulum
from .ode import solve_ode as solve_ode
from .reaction_diffusion import Combustion as Combustion
from .reaction_diffusion import Cubic as Cubic
from .reaction_diffusion import Logistic as Logistic
from .reaction_diffusion import Reaction as Reaction
from .reaction_diffusion import solve_reaction_diffusion as solve_reaction_diffusion
from .spectral_fields import neumann_field as neumann_field
from .spectral_fields import periodic_field as periodic_field
from .stochastic import elliptic_mean as elliptic_mean
from .stochastic import elliptic_paths as elliptic_paths
from .stochastic import growth_mean as growth_mean
from .stochastic import growth_paths as growth_paths
from .transforms import cosine_functions as cosine_functions
from .transforms import legendre_transform as legendre_transform
from .tridiagonal import solve_tridiagonal as solve_tridiagonal

__all__ = [
    "RBF",
    "Combustion",
    "Cubic",
    "GaussianField",
    "GaussianNormalizer",
    "Kernel",
    "Logistic",
    "Matern12",
    "MinMaxNormalizer",
    "Reaction",
    "RelativeH1",
    "advect_periodic",
    "antiderivative",
    "cosine_functions",
    "elliptic_mean",
    "elliptic_paths",
    "growth_mean",
    "growth_paths",
    "h1_norm",
    "interpolate",
    "karhunen_loeve",
    "legendre_transform",
    "mse_without_outliers",
    "neumann_field",
    "nonlinear_ode",
    "pendulum",
    "periodic_field",
    "relative_h1",
    "relative_l2",
    "sample_product",
    "solve_advection_diffusion",
    "solve_advection_diffusion_reaction",
    "solve_darcy",
    "solve_diffusion_reaction",
    "solve_helmholtz",
    "solve_masked",
    "solve_navier_stokes",
    "solve_ode",
    "solve_reaction_diffusion",
    "solve_tridiagonal",
    "wasserstein2",
    "wendroff",
    "wendroff_periodic",
]
