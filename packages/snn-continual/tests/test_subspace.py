import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from separata import files
from snn_continual import HebbianSubspace, SpikingLateral


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def orthonormal(k, n, seed=0, dtype=torch.float32):
    return torch.linalg.qr(torch.randn(n, k, generator=generator(seed), dtype=torch.float64)).Q.T.to(dtype)


def projector(rows):
    """Onto the span of rows, by a singular value decomposition in double precision."""
    u = np.linalg.svd(np.asarray(rows, dtype=float).T, full_matrices=False)[0]
    return u @ u.T


def strong_directions(directions, n_samples, seed=0):
    """Activity with standard deviation 2 along some directions and 0.1 along all."""
    k, n = directions.shape
    strong = 2 * torch.randn(n_samples, k, generator=generator(seed)) @ directions
    return strong + 0.1 * torch.randn(n_samples, n, generator=generator(seed + 1))


def learn_passes(subspace, x, passes, batch=64):
    for p in range(passes):
        for part in x[torch.randperm(len(x), generator=generator(p))].split(batch):
            subspace.learn(part)


def explicit_learning(old, new, batches, lr, momentum, iterations, respond=lambda y: y, bound=10.0):
    """The paper's loop on all rows together, in double precision, as it is written."""
    weight = np.concatenate([old, new]).astype(float)
    velocity = np.zeros_like(weight)
    for x in batches:
        for _ in range(iterations):
            y = respond(x @ weight.T)
            change = np.zeros_like(weight)
            for y_b, x_b in zip(y, x, strict=True):
                change += np.outer(y_b, x_b - y_b @ weight) / len(x)
            change = np.clip(change, -bound, bound)
            change[: len(old)] = 0
            velocity = momentum * velocity + (1 - momentum) * change
            weight = weight + lr * velocity
    return weight


def test_learns_the_principal_subspace_that_svd_finds():
    x = strong_directions(orthonormal(5, 50), 4000)
    subspace = HebbianSubspace(50, lr=0.01)
    subspace.grow(5, generator(2))
    learn_passes(subspace, x, 5)
    principal = projector(np.linalg.svd(x.double().numpy(), full_matrices=False)[2][:5])
    learned = (subspace.weight.T @ subspace.weight).double().numpy()
    assert np.linalg.norm(learned - principal) / np.linalg.norm(principal) < 0.05
    assert subspace.orthonormality_error() < 0.01


def test_a_second_task_s_rows_are_orthogonal_to_the_first_s():
    directions = orthonormal(6, 20)
    subspace = HebbianSubspace(20, lr=0.01)
    for task in range(2):
        subspace.grow(3, generator(task))
        learn_passes(subspace, strong_directions(directions[3 * task : 3 * task + 3], 2000, seed=task), 4)
        subspace.merge()
    assert (subspace.fixed[3:] @ subspace.fixed[:3].T).abs().max() < 0.02
    np.testing.assert_allclose(projector(subspace.fixed[3:]), projector(directions[3:]), atol=0.02)


@pytest.mark.parametrize("spiking", [None, SpikingLateral(3.0, 10)], ids=["real", "spiking"])
@pytest.mark.parametrize("n_samples", [5, 30], ids=["samples", "correlation"])
def test_learning_is_the_paper_s_loop(n_samples, spiking):
    subspace = HebbianSubspace(8, lr=0.02, spiking=spiking).double()
    subspace.extend(orthonormal(2, 8, dtype=torch.float64))
    subspace.grow(3, generator(1))
    start = subspace.learning.numpy().copy()
    batches = [torch.randn(n_samples, 8, generator=generator(i), dtype=torch.float64) for i in range(4)]
    for x in batches:
        subspace.learn(x)
    respond = (lambda y: np.rint(np.clip(y, -3, 3) / 3 * 10) / 10 * 3) if spiking else (lambda y: y)
    expected = explicit_learning(subspace.fixed.numpy(), start, [x.numpy() for x in batches], 0.02, 0.9, 5, respond)
    np.testing.assert_allclose(subspace.weight.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("n_samples", [4, 40], ids=["samples", "correlation"])
def test_large_updates_are_clamped_entry_by_entry(n_samples):
    subspace = HebbianSubspace(6, lr=1e-3, iterations=2).double()
    subspace.grow(3, generator(1))
    start = subspace.learning.numpy().copy()
    x = 20 * torch.randn(n_samples, 6, generator=generator(), dtype=torch.float64)
    subspace.learn(x)
    bounded, free = (
        explicit_learning(start[:0], start, [x.numpy()], 1e-3, 0.9, 2, bound=bound) for bound in (10.0, np.inf)
    )
    np.testing.assert_allclose(subspace.learning.numpy(), bounded, atol=1e-9)
    assert abs(bounded - free).max() > 0.01


def test_normalised_learning_does_not_depend_on_the_scale_of_the_activity():
    x = torch.randn(30, 6, generator=generator())
    learned = []
    for scale in (0.1, 1.0, 50.0):
        subspace = HebbianSubspace(6, lr=0.5, normalize=True, max_update=float("inf"))
        subspace.grow(2, generator(1))
        subspace.learn(scale * x)
        learned.append(subspace.learning)
    torch.testing.assert_close(learned[0], learned[1])
    torch.testing.assert_close(learned[2], learned[1])


def test_old_rows_stay_bitwise_and_nothing_moves_without_new_ones():
    subspace = HebbianSubspace(6)
    subspace.extend(orthonormal(2, 6))
    before = subspace.fixed.clone()
    subspace.learn(torch.randn(9, 6))
    subspace.grow(2)
    subspace.learn(torch.randn(9, 6))
    assert torch.equal(subspace.fixed, before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("n_samples", [3, 30])
def test_activity_that_is_not_finite_is_refused_and_nothing_learned(bad, n_samples):
    subspace = HebbianSubspace(6)
    subspace.grow(2, generator())
    before = copy.deepcopy(subspace.state_dict())
    x = torch.randn(n_samples, 6, generator=generator())
    x[1, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        subspace.learn(x)
    assert all(torch.equal(value, before[key]) for key, value in subspace.state_dict().items())


def test_divergence_is_refused_with_the_remedy_and_nothing_learned():
    subspace = HebbianSubspace(6, lr=1e30, iterations=20)
    subspace.grow(2, generator())
    before = subspace.learning.clone()
    with pytest.raises(
        ValueError, match="diverged at lr=1e\\+30 .*; scale the inputs .*, lower lr, or set normalize=True"
    ):
        subspace.learn(10 * torch.randn(30, 6, generator=generator()))
    assert torch.equal(subspace.learning, before)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=6))
def test_growing_and_merging_keep_account_of_the_rows(steps):
    subspace = HebbianSubspace(7)
    fixed = learning = 0
    for k, merges in steps:
        if fixed + learning + k > 7:
            with pytest.raises(ValueError, match=f"cannot grow by {k}.* activity .* 7"):
                subspace.grow(k)
        else:
            before = subspace.weight
            subspace.grow(k, generator(k))
            learning += k
            assert torch.equal(subspace.weight[: len(before)], before)
            new = subspace.weight[len(before) :]
            torch.testing.assert_close(new @ new.T, torch.eye(k), atol=1e-5, rtol=0)
        if merges:
            before = subspace.weight
            subspace.merge()
            fixed, learning = fixed + learning, 0
            assert torch.equal(subspace.fixed, before)
        assert (len(subspace.fixed), len(subspace.learning), subspace.dim) == (fixed, learning, fixed + learning)
        assert subspace.velocity.shape == subspace.learning.shape


def test_a_negative_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="not -1"):
        HebbianSubspace(3).grow(-1)


def test_orthonormal_merging_keeps_the_span_and_makes_the_projection_exact():
    subspace = HebbianSubspace(9)
    subspace.extend(torch.randn(2, 9, generator=generator()))
    subspace.grow(3, generator(1))
    before = projector(subspace.weight)
    subspace.merge(orthonormalize=True)
    assert subspace.orthonormality_error() < 1e-5
    np.testing.assert_allclose(projector(subspace.fixed), before, atol=1e-5)


@given(
    k=st.integers(0, 5),
    x=hnp.arrays("float64", st.tuples(st.integers(1, 3), st.integers(1, 3), st.just(5)), elements=st.floats(-50, 50)),
)
def test_projection_is_idempotent_and_orthogonal_to_the_rows(k, x):
    subspace = HebbianSubspace(5).double()
    subspace.extend(orthonormal(k, 5, dtype=torch.float64))
    outside = subspace.project_out(torch.from_numpy(x))
    np.testing.assert_allclose(outside, x - x @ projector(subspace.fixed), atol=1e-10)
    torch.testing.assert_close(subspace.project_out(outside), outside, atol=1e-10, rtol=0)
    assert (outside @ subspace.fixed.T).abs().sum() < 1e-9


def test_rows_that_still_learn_do_not_project():
    subspace = HebbianSubspace(5)
    subspace.grow(3)
    x = torch.randn(4, 5)
    assert torch.equal(subspace.project_out(x), x)


def test_spiking_projection_predicts_from_rounded_responses():
    subspace = HebbianSubspace(4, spiking=SpikingLateral(2.0, 4))
    subspace.extend(torch.eye(4)[:2])
    found = subspace.project_out(torch.tensor([[0.6, -9.0, 1.0, 2.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.1, -7.0, 1.0, 2.0]]))


def test_explained_share_is_the_energy_inside_the_span():
    subspace = HebbianSubspace(6)
    x = torch.randn(20, 6, generator=generator())
    assert subspace.explained(x) == 0.0
    subspace.extend(torch.randn(2, 6, generator=generator(1)))
    energy = x.double().square().sum().item()
    residual = np.linalg.lstsq(subspace.fixed.double().numpy().T, x.double().numpy().T, rcond=None)[1].sum()
    assert subspace.explained(x) == pytest.approx(1 - residual / energy, abs=1e-5)
    subspace.grow(4, generator(2))
    assert subspace.explained(x) == pytest.approx(1, abs=1e-5)


def test_silence_is_not_explained_and_neither_silence_nor_no_samples_teach_anything():
    subspace = HebbianSubspace(6, normalize=True)
    subspace.grow(2, generator())
    before = subspace.learning.clone()
    assert subspace.explained(torch.zeros(3, 6)) == 0.0
    for n_samples in (0, 3):
        subspace.learn(torch.zeros(n_samples, 6))
        assert torch.equal(subspace.learning, before)


def test_orthonormality_error_is_the_frobenius_distance_to_the_identity():
    subspace = HebbianSubspace(6)
    assert subspace.orthonormality_error() == 0
    rows = torch.randn(3, 6, generator=generator())
    subspace.extend(rows)
    expected = np.linalg.norm(rows.double().numpy() @ rows.double().numpy().T - np.eye(3))
    assert subspace.orthonormality_error() == pytest.approx(expected, rel=1e-5)


@given(
    y=hnp.arrays("float64", 4, elements=st.floats(-100, 100)),
    scale=st.floats(0.5, 50),
    timesteps=st.integers(1, 1000),
)
def test_bursts_answer_within_half_a_step_and_as_much_to_either_side(y, scale, timesteps):
    burst = SpikingLateral(scale, timesteps)
    answer = burst(torch.from_numpy(y)).numpy()
    assert (abs(answer - np.clip(y, -scale, scale)) <= scale / (2 * timesteps) + 1e-9).all()
    np.testing.assert_allclose(answer / scale * timesteps, np.rint(answer / scale * timesteps), atol=1e-8)
    np.testing.assert_array_equal(burst(torch.from_numpy(-y)).numpy(), -answer)


def test_bursts_saturate_at_their_scale():
    answer = SpikingLateral(20.0, 40)(torch.tensor([-1e6, -20.2, 0.2, 0.3, 20.2]))
    torch.testing.assert_close(answer, torch.tensor([-20.0, -20.0, 0.0, 0.5, 20.0]))


def test_state_of_any_size_is_loaded_and_learning_goes_on_from_it(tmp_path):
    subspace = HebbianSubspace(6)
    subspace.extend(orthonormal(2, 6))
    subspace.grow(2, generator(1))
    x = torch.randn(2, 9, 6, generator=generator(2))
    subspace.learn(x[0])
    files.save_tensors(tmp_path / "state.safetensors", subspace.state_dict())
    other = HebbianSubspace(6)
    other.load_state_dict(files.load_tensors(tmp_path / "state.safetensors")[0])
    subspace.learn(x[1])
    other.learn(x[1])
    assert torch.equal(other.weight, subspace.weight)
    assert torch.equal(other.velocity, subspace.velocity)


def test_state_of_another_width_is_refused():
    with pytest.raises(RuntimeError, match="size mismatch"):
        HebbianSubspace(6).load_state_dict(HebbianSubspace(5).state_dict())


def test_printing_tells_the_dimensions():
    subspace = HebbianSubspace(6)
    subspace.grow(2)
    assert "6, dim=2, fixed=0" in repr(subspace)


@pytest.mark.parametrize(
    "options",
    [
        {"n_features": 0},
        {"iterations": 0},
        {"lr": -0.1},
        {"lr": float("nan")},
        {"momentum": 1.0},
        {"momentum": float("nan")},
        {"max_update": 0.0},
    ],
    ids=str,
)
def test_options_out_of_their_range_are_refused(options):
    with pytest.raises(ValueError, match="at least 1|needs lr from 0"):
        HebbianSubspace(**{"n_features": 4, **options})


@pytest.mark.parametrize("options", [(0.0, 40), (-1.0, 40), (float("nan"), 40), (20.0, 0)])
def test_bursts_without_size_are_refused(options):
    with pytest.raises(ValueError, match="positive scale and at least 1 time step"):
        SpikingLateral(*options)
