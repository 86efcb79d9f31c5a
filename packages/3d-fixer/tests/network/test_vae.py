import pytest
import torch
from torch import distributions

from fixer3d.configs import VAEConfig
from fixer3d.network.vae import SparseStructureVAE, dice_loss, kl_divergence, pixel_shuffle, vae_loss

SMALL = VAEConfig(8, (6, 12), 4, 1, 1)


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return SparseStructureVAE(SMALL)


def shapes(n=4):
    """Boxes of several sizes and places."""
    draw = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 4, (n, 3), generator=draw)
    sizes = torch.randint(2, 5, (n, 3), generator=draw)
    places = torch.stack(torch.meshgrid(*[torch.arange(8)] * 3, indexing="ij"), -1)
    inside = (places >= corners[:, None, None, None]) & (places < (corners + sizes)[:, None, None, None])
    return inside.all(-1)[:, None].float()


def test_eight_channels_become_the_voxels_of_a_block():
    x = torch.randn(1, 16, 3, 3, 3)
    out = pixel_shuffle(x)
    for c, i, j, k, place in ((0, 0, 0, 1, (2, 0, 1)), (1, 1, 0, 0, (0, 1, 2)), (1, 1, 1, 1, (1, 1, 1))):
        at = tuple(2 * p + s for p, s in zip(place, (i, j, k)))
        assert out[(0, c, *at)] == x[(0, 8 * c + 4 * i + 2 * j + k, *place)]


@pytest.mark.parametrize("config", [SMALL, VAEConfig(8)], ids=["two levels", "three"])
def test_a_grid_becomes_a_latent_and_a_grid_again(config):
    r, size = config.resolution, config.resolution // config.factor
    vae, occupancy = SparseStructureVAE(config), torch.zeros(1, 1, r, r, r)
    latent = vae.encode(occupancy)
    assert latent.shape == (1, config.latent_channels, size, size, size)
    assert vae.decode(latent).shape == occupancy.shape


def test_residual_blocks_begin_as_the_identity(vae):
    x = torch.randn(1, 6, 4, 4, 4)
    torch.testing.assert_close(vae.encoder.blocks[0](x), x)


def test_a_few_shapes_are_learned_by_heart(vae):
    occupancy, draw = shapes(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=2e-2)
    for _ in range(30):
        logits, mean, logvar = vae(occupancy, draw)
        optimizer.zero_grad()
        vae_loss(logits, occupancy, mean, logvar, bce_weight=0.2).backward()
        optimizer.step()
    decoded = vae.decode(vae.encode(occupancy)) > 0
    union = (decoded | (occupancy > 0)).sum()
    assert (decoded & (occupancy > 0)).sum() / union > 0.9


def test_the_divergence_is_that_of_torch():
    mean, logvar = torch.randn(2, 3, 2, 2, 2), torch.randn(2, 3, 2, 2, 2)
    posterior, prior = distributions.Normal(mean, (0.5 * logvar).exp()), distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(kl_divergence(mean, logvar), distributions.kl_divergence(posterior, prior).mean())


def test_the_dice_loss_of_half_a_shape():
    occupancy = torch.zeros(1, 1, 2, 2, 2)
    occupancy[..., 0] = 1
    logits = torch.full((1, 1, 2, 2, 2), -100.0)
    logits[..., 0, 0] = 100.0
    # Of four occupied voxels two are found, and nothing else.
    torch.testing.assert_close(dice_loss(logits, occupancy), torch.tensor(1 - (2 * 2 + 1) / (2 + 4 + 1)))


def test_the_posterior_has_the_variance_that_it_says(vae):
    occupancy, draws = shapes(1), []
    mean, logvar = vae.posterior(occupancy)
    vae.posterior = lambda occupancy: (mean, logvar)
    vae.decode = lambda latent: draws.append(latent) or occupancy
    draw = torch.Generator().manual_seed(0)
    for _ in range(300):
        vae(occupancy, draw)
    drawn = torch.stack(draws)
    assert ((drawn.mean(0) - mean) / (0.5 * logvar).exp()).square().mean() * 300 < 1.5
    torch.testing.assert_close(drawn.var(0) / logvar.exp(), torch.ones_like(mean), atol=0.4, rtol=0)
    vae(occupancy)
    torch.testing.assert_close(draws[-1], mean)


def test_autocast_and_half_precision_stay_close(vae):
    occupancy = shapes()
    latent = vae.encode(occupancy)
    with torch.autocast("cpu", torch.bfloat16):
        automatic = vae.encode(occupancy)
    lower = vae.to(torch.bfloat16).encode(occupancy)
    for other in (automatic, lower):
        assert (other.float() - latent).norm() < 0.05 * latent.norm()


def test_grids_of_another_resolution_are_refused(vae):
    with pytest.raises(ValueError, match=r"shape \(batch, 1, 8, 8, 8\), not \(1, 1, 4, 4, 4\)"):
        vae.encode(torch.zeros(1, 1, 4, 4, 4))
