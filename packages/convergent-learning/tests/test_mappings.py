"""Sparse mappings, clusters, subspaces and similarities, against scikit-learn, SciPy and planted structure."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes, subspace_angles
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Lasso
from sklearn.metrics import adjusted_rand_score

from convergent_learning import (
    ActivationStats,
    LayerStats,
    agglomerative_tree,
    cka,
    cka_rbf,
    cluster_units,
    principal_cosines,
    procrustes,
    pwcca,
    random_cosines,
    rotate,
    shuffle,
    sparse_mapping,
    spectral_clusters,
    svcca,
    units_needed,
)

DOUBLE = torch.float64


def stats_of(*parts):
    """Statistics of layers that are given as arrays (samples, units)."""
    rows = torch.cat([part.to(DOUBLE) for part in parts], 1)
    covariance = torch.from_numpy(np.cov(rows.T.numpy(), bias=True))
    sizes = tuple(part.shape[1] for part in parts)
    return ActivationStats({"l": LayerStats(sizes, len(rows), rows.mean(0), covariance, rows.float())})


@pytest.fixture(scope="module")
def layers():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(400, 12, generator=generator, dtype=DOUBLE)
    a[:, 6:] += 0.8 * a[:, :6]
    mix = torch.randn(12, 5, generator=generator, dtype=DOUBLE)
    b = 3 * (a @ mix + torch.randn(400, 5, generator=generator, dtype=DOUBLE)) + 7
    return a * torch.arange(1, 13), b


def standardized(x):
    return ((x - x.mean(0)) / x.std(0, correction=0)).numpy()


def test_the_path_is_scikit_learns_lasso(layers):
    a, b = layers
    lambdas = [0.5, 0.1, 0.03, 0.003]
    path = sparse_mapping(stats_of(a, b), "l", lambdas=lambdas[::-1])
    assert path.lambdas.tolist() == lambdas
    assert path.gap.max() < 1e-7
    x, y = standardized(a), standardized(b)
    for i, penalty in enumerate(lambdas):
        for target in range(5):
            peer = Lasso(penalty, tol=1e-12, max_iter=100_000, fit_intercept=False).fit(x, y[:, target])
            np.testing.assert_allclose(path.weights[i, target], peer.coef_, atol=1e-4)
            assert float(path.r2[i, target]) == pytest.approx(peer.score(x, y[:, target]), abs=1e-6)
            assert int(path.support[i, target]) == int((np.abs(peer.coef_) > 1e-3).sum())


def test_the_ends_of_the_path(layers):
    a, b = layers
    stats = stats_of(a, b)
    largest = float(stats.cross("l").abs().max())
    path = sparse_mapping(stats, "l", lambdas=[0, largest, 0.99 * largest])
    assert not path.weights[0].any()
    assert path.weights[1].any()
    expected = np.linalg.lstsq(standardized(a), standardized(b), rcond=None)[0].T
    np.testing.assert_allclose(path.weights[2], expected, atol=1e-9)
    np.testing.assert_allclose(path.r2[2], path.dense_r2, atol=1e-12)
    np.testing.assert_allclose(path.single_r2, np.corrcoef(a.T, b.T)[:12, 12:].__pow__(2).max(0), atol=1e-12)
    weight, bias = path.affine(2)
    residual = b - (a @ weight.T + bias)
    assert abs(residual.mean()) < 1e-9
    np.testing.assert_allclose(1 - residual.var(0, correction=0) / b.var(0, correction=0), path.dense_r2, atol=1e-9)


def test_units_that_repeat_one_another_have_no_unique_weights_but_one_r2():
    a = torch.randn(300, 4, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    twice = torch.cat([a, a], 1)
    path = sparse_mapping(stats_of(twice, a[:, :1]), "l", lambdas=[0.01, 0])
    assert float(path.dense_r2) == pytest.approx(1, abs=1e-9)
    assert float(path.r2[0]) == pytest.approx(1 - 0.01**2, abs=1e-6)


def test_a_path_stopped_early_says_so(layers):
    with pytest.warns(UserWarning, match="duality gap"):
        path = sparse_mapping(stats_of(*layers), "l", lambdas=[1e-3], max_steps=2)
    assert path.gap.max() > 1e-7


@pytest.mark.parametrize("lambdas", [[-0.1], [], [math.nan]])
def test_bad_penalties_are_refused(layers, lambdas):
    with pytest.raises(ValueError, match="at least 0"):
        sparse_mapping(stats_of(*layers), "l", lambdas=lambdas)


def test_dead_units_predict_nothing():
    dead = ActivationStats({"l": LayerStats((2, 1), 9, torch.zeros(3), torch.diag(torch.tensor([0, 0, 1.0])).double(),
                                            torch.empty(0, 3))})  # fmt: skip
    with pytest.raises(ValueError, match="are dead"):
        sparse_mapping(dead, "l")
    assert not sparse_mapping(dead, "l", 1, 0).weights.any()


def test_planted_sums_of_two_units_are_recovered():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(3000, 10, generator=generator, dtype=DOUBLE)
    pairs = [(0, 1), (2, 7), (3, 9), (4, 5)]
    b = torch.stack([a[:, i] + a[:, j] for i, j in pairs] + [a[:, 8]], 1)
    stats = stats_of(a, b)
    path = sparse_mapping(stats, "l", lambdas=np.logspace(-0.3, -3, 12).tolist())
    assert path.support[5].tolist() == [2, 2, 2, 2, 1]
    assert [tuple(torch.nonzero(row.abs() > 1e-3)[:, 0].tolist()) for row in path.weights[5, :4]] == pairs
    assert units_needed(stats, "l", path).tolist() == [2, 2, 2, 2, 1]
    assert units_needed(stats, "l", path, share=0.4).tolist() == [1] * 5
    with pytest.raises(ValueError, match="share"):
        units_needed(stats, "l", path, share=0)
    turned = rotate(stats, "l", 0, torch.Generator().manual_seed(1))
    again = sparse_mapping(turned, "l", lambdas=np.logspace(-0.3, -3, 12).tolist())
    torch.testing.assert_close(again.dense_r2, path.dense_r2)
    assert again.single_r2.mean() < path.single_r2.mean() - 0.1
    assert units_needed(turned, "l", again).min() > 3


def test_a_shuffled_network_shares_nothing():
    a = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    stats = stats_of(a, a)
    shuffled = shuffle(stats, "l", 1, torch.Generator().manual_seed(1))
    assert stats.cross("l").diagonal().min() > 0.999
    assert shuffled.cross("l").abs().max() < 0.07
    torch.testing.assert_close(shuffled.within("l", 1), stats.within("l", 1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="keep="):
        shuffle(
            ActivationStats({"l": LayerStats((1,), 2, torch.zeros(1), torch.eye(1), torch.empty(0, 1))}),
            "l",
            0,
            torch.Generator(),
        )


def test_spectral_clustering_recovers_planted_blocks():
    truth = torch.arange(30) % 3
    similarity = torch.where(truth[:, None] == truth, 0.8, 0.1).double().fill_diagonal_(1)
    assert adjusted_rand_score(truth, spectral_clusters(similarity, 3)) == 1
    similarity[4] = similarity[:, 4] = 0
    labels = spectral_clusters(similarity, 3)
    rest = truth != 3
    rest[4] = False
    assert adjusted_rand_score(truth[rest], labels[rest]) == 1


@pytest.mark.parametrize("method", ["spectral", "agglomerative"])
def test_clusters_of_two_networks_share_planted_subspaces(method):
    """Two networks have the same three factors, one with 2 units for each and the other with 3 or 1."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(4000, 3, generator=generator, dtype=DOUBLE)
    a = factors[:, [0, 0, 1, 1, 2, 2]] + 0.3 * torch.randn(4000, 6, generator=generator, dtype=DOUBLE)
    b = factors[:, [0, 0, 0, 1, 2, 2]] + 0.3 * torch.randn(4000, 6, generator=generator, dtype=DOUBLE)
    stats = stats_of(a, b)
    found = cluster_units(stats, "l", k=3, method=method)
    assert adjusted_rand_score([0, 0, 1, 1, 2, 2, 0, 0, 0, 1, 2, 2], found.labels) == 1
    assert found.mixed_fraction == 1
    cluster = int(found.labels[0])
    assert found.members(cluster) == ([0, 1], [0, 1, 2])
    assert set(found.labels[found.order][:5].tolist()) == {cluster}
    assert float(found.cosines[cluster]) == pytest.approx(
        float(principal_cosines(stats, "l", ([0, 1], [0, 1, 2])).mean())
    )
    for k in (0, 13):
        with pytest.raises(ValueError, match="1 to 12 clusters"):
            cluster_units(stats, "l", k=k)
    with pytest.raises(ValueError, match="spectral or agglomerative"):
        cluster_units(stats, "l", method="other")


def test_random_groups_of_units_share_less_than_a_planted_subspace():
    """Two bases of each of four planes: a plane is the same in both, and a random pair of units spans parts of two."""
    generator = torch.Generator().manual_seed(0)
    planes = torch.randn(2000, 8, generator=generator, dtype=DOUBLE)
    turn = torch.block_diag(
        *[torch.linalg.qr(torch.randn(2, 2, generator=generator, dtype=DOUBLE)).Q for _ in range(4)]
    )
    stats = stats_of(planes, planes @ turn)
    assert float(principal_cosines(stats, "l", ([2, 3], [2, 3])).mean()) == pytest.approx(1)
    chance = random_cosines(stats, "l", (2, 2), generator, n=200)
    assert len(chance) == 200
    # Another pair spans parts of two planes, or a plane that is orthogonal.
    assert 0.1 < float(chance.mean()) < 0.4


def test_the_tree_merges_the_most_similar_first():
    similarity = torch.tensor([[1, 0.9, 0.2], [0.9, 1, 0.4], [0.2, 0.4, 1]], dtype=DOUBLE)
    np.testing.assert_allclose(agglomerative_tree(similarity)[:, 2], [0.1, 0.7])


def test_principal_angles_are_scipys():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(300, 4, generator=generator, dtype=DOUBLE)
    b = torch.randn(300, 3, generator=generator, dtype=DOUBLE) + a[:, :3]
    cosines = principal_cosines(stats_of(a, b), "l", ([0, 1, 3], [0, 2]))
    centered = [(x - x.mean(0)).numpy() for x in (a[:, [0, 1, 3]], b[:, [0, 2]])]
    np.testing.assert_allclose(cosines, np.cos(subspace_angles(*centered))[::-1], atol=1e-9)
    with pytest.raises(ValueError, match="at least one unit"):
        principal_cosines(stats_of(a, b), "l", ([], [0]))


@pytest.fixture(scope="module")
def samples():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(120, 6, generator=generator, dtype=DOUBLE) * torch.arange(1, 7)
    return x, x[:, :4] @ torch.randn(4, 5, generator=generator, dtype=DOUBLE) + 2 * torch.randn(
        120, 5, generator=generator, dtype=DOUBLE
    )


def test_cka_is_the_normalized_hsic_of_gram_matrices(samples):
    center = np.eye(120) - 1 / 120

    def aligned(k, m):
        k, m = center @ k @ center, center @ m @ center
        return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))

    x, y = (one.numpy() for one in samples)
    assert cka(*samples) == pytest.approx(aligned(x @ x.T, y @ y.T), abs=1e-10)
    kernels = []
    for one in (x, y):
        squares = ((one[:, None] - one) ** 2).sum(-1)
        median = np.sort(squares[~np.eye(120, dtype=bool)])[(120 * 119 - 1) // 2]
        kernels.append(np.exp(-squares / (2 * 0.25 * median)))
    assert cka_rbf(*samples) == pytest.approx(aligned(*kernels), abs=1e-8)


def test_svcca_and_pwcca_are_those_of_scikit_learns_cca(samples):
    x, y = samples
    peer = CCA(5, scale=False, max_iter=10_000, tol=1e-12).fit(x.numpy(), y.numpy())
    u, v = peer.transform(x.numpy(), y.numpy())
    correlations = np.array([abs(np.corrcoef(u[:, i], v[:, i])[0, 1]) for i in range(5)])
    assert svcca(x, y, 1.0) == pytest.approx(correlations.mean(), abs=1e-5)
    variables = u / np.linalg.norm(u, axis=0)
    weights = np.abs(variables.T @ (x - x.mean(0)).numpy()).sum(1)
    assert pwcca(x, y) == pytest.approx((weights * correlations).sum() / weights.sum(), abs=1e-4)


def test_procrustes_is_scipys(samples):
    x, y = (one - one.mean(0) for one in samples)
    x, y = x / x.norm(), torch.nn.functional.pad(y, (0, 1)) / y.norm()
    _, scale = orthogonal_procrustes(x.numpy(), y.numpy())
    assert procrustes(*samples) == pytest.approx(scale, abs=1e-10)


@pytest.mark.parametrize("measure", [cka, cka_rbf, svcca, pwcca, procrustes])
def test_similarities_are_one_after_a_rotation_and_low_for_noise(samples, measure):
    x, _ = samples
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)).Q
    assert measure(x, 3 * x @ turn + 5) == pytest.approx(1, abs=1e-9)
    noise = torch.randn(120, 6, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    assert measure(x, noise) < 0.5
    for other, message in [
        (noise[:5], "same 2 or more samples"),
        (torch.ones(120, 3), "nothing to compare"),
        (noise * math.nan, "NaN or infinite"),
    ]:
        with pytest.raises(ValueError, match=message):
            measure(x, other)
