"""Small data and networks of each kind."""

import functools

import torch

from mt_deeponet import ModelConfig, ProblemConfig, make_model, make_plates, sample_darcy, sample_fisher
from separata.training import seeded

FISHER = ProblemConfig(resolution=12, n_times=5)
DARCY = ProblemConfig(resolution=16)
MODELS = {
    "fisher": ModelConfig(branch="8,8", trunk="8,8", latent=6),
    "darcy": ModelConfig(branch="8", trunk="8,8", latent=6, filters="2,4", dropout=0.2),
    "plate": ModelConfig(branch="8,8,8", trunk="8,8,8", latent=6),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@functools.cache
def data(kind, n=4, seed=0):
    if kind == "fisher":
        found = sample_fisher(n, generator(seed), FISHER)
    elif kind == "darcy":
        found = sample_darcy(n, generator(seed), DARCY)
    else:
        designs = torch.tensor([[2.0 + i, 0.9 + 0.1 * i] for i in range(n)], dtype=torch.float64)
        found = make_plates(designs, 9, 8, 3)
    return found.to(dtype=torch.float32)


def model(kind, samples):
    with seeded(0):
        made = make_model(MODELS[kind], samples.shape)
    return made.fit_normalizers(samples)
