"""Tasks: values against closed forms, splits without overlap, files of one's own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from kan_assessment import load_file, load_symbolic, load_target, load_task, make_task
from kan_assessment.tasks.suites import SUITES, names_of
from kan_assessment.tasks.symbolic import FUNCTIONS
from kan_assessment.tasks.task import Samples, Task, shuffled_split


def points(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The points of a function's box, and its values there."""
    samples = load_symbolic(name, n_train=200, n_test=100).draw(3)
    low, high = np.array(FUNCTIONS[name].box).T
    return low + (high - low) * (samples.x.double().numpy() + 1) / 2, samples.y.numpy()


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        # Integrals, derivatives by differences, and polynomials, not the functions themselves.
        ("lpmv0", lambda x, y: special.eval_legendre(x, y)),
        ("sphharm01", lambda x, y: np.sqrt(3 / (4 * np.pi)) * np.cos(y)),
        ("sphharm02", lambda x, y: np.sqrt(5 / (16 * np.pi)) * (3 * np.cos(y) ** 2 - 1)),
        ("jvp", lambda x, y: (special.jv(x - 1, y) - special.jv(x + 1, y)) / 2),
        ("kvp", lambda x, y: -(special.kv(x - 1, y) + special.kv(x + 1, y)) / 2),
        ("yvp", lambda x, y: (special.yv(x - 1, y) - special.yv(x + 1, y)) / 2),
        ("ivp", lambda x, y: (special.iv(x - 1, y) + special.iv(x + 1, y)) / 2),
        ("gelu", lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2)))),
        ("poisson", lambda x: 2 ** (x + 4) / special.gamma(x + 5)),
        ("j0-20x", lambda x: special.jv(0, 20 * x)),
        ("exp-sin", lambda x, y: np.exp(np.sin(np.pi * x) + y**2)),
        ("product", lambda x, y: x * y),
        ("feynman-I.6.2", lambda x, y: np.exp(-((x / y) ** 2) / 2) / np.sqrt(2 * np.pi * y**2)),
    ],
)
def test_values_are_those_of_the_function(name, exact):
    x, y = points(name)
    np.testing.assert_allclose(y, exact(*x.T), rtol=2e-4, atol=1e-5)


def test_elliptic_integrals_are_integrals():
    t = np.linspace(0, 1, 2001)
    for name, power in (("ellipkinc", -0.5), ("ellipeinc", 0.5)):
        x, y = points(name)
        phi, m = x[:20].T
        inside = (1 - m[:, None] * np.sin(phi[:, None] * t) ** 2) ** power
        np.testing.assert_allclose(y[:20], phi * np.trapezoid(inside, t, axis=1), rtol=1e-4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_finite_on_its_box(name):
    task = load_symbolic(name, n_train=300, n_test=50)
    samples = task.draw(1)
    assert samples.y.isfinite().all()
    assert samples.x.abs().max() <= 1
    assert samples.x.shape == (300 + 75 + 50, task.n_features)
    assert task.trivial(1) > 0
    assert not torch.equal(samples.x, task.draw(2).x)
    assert torch.equal(samples.x, task.draw(1).x)


def test_a_formula_of_one_s_own_is_a_task():
    task = load_task("formula:x2*sin(pi*x1)")
    samples = task.draw(0)
    torch.testing.assert_close(samples.y, samples.x[:, 1] * torch.sin(torch.pi * samples.x[:, 0]), atol=1e-5, rtol=1e-5)
    for text, told in (("formula:log(x)", "not finite"), ("formula:1+", "1\\+"), ("formula:2*pi", "no variable")):
        with pytest.raises(ValueError, match=told):
            load_task(text)


@given(n=st.integers(10, 300), seed=st.integers(0, 100), n_classes=st.integers(0, 3))
def test_parts_are_disjoint_and_whole(n, seed, n_classes):
    y = torch.arange(n) % n_classes if n_classes else None
    parts = shuffled_split(n, seed, y)
    assert torch.cat(parts).sort().values.equal(torch.arange(n))
    assert all(len(part) > 0 for part in parts)
    if y is not None:
        for part in parts[::2]:
            shares = torch.bincount(y[part], minlength=n_classes) / len(part)
            assert (shares - 1 / n_classes).abs().max() <= 1.01 / len(part) + 2 / n


@pytest.mark.parametrize("name", ["tabular/breast_cancer", "tabular/wine", "tabular/iris", "tabular/diabetes"])
def test_tables_of_scikit_learn(name):
    task = load_task(name)
    samples = task.draw(0)
    assert samples.x.shape[1] == task.n_features
    assert task.is_regression == (name == "tabular/diabetes")
    (train,) = samples.stages
    assert len(train) > 3 * len(samples.test) * 0.7
    trivial = task.trivial(0)
    assert 30 < trivial < 80


def test_rare_classes_of_large_tables_are_left_out():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    from kan_assessment.tasks.tabular import _from_frame

    features = pandas.DataFrame({"a": range(20), "b": ["x", "y"] * 10, "same": [7] * 19 + [8]})
    # Of the rings 1 and 29 there is a sample or two; the last has the only 8 among the columns.
    rings = pandas.Series([5] * 9 + [6] * 8 + [1] * 2 + [29])
    task = _from_frame("abalone", features, rings)
    samples = task.draw(0)
    assert (task.n_outputs, task.n_features, len(samples.x)) == (2, 3, 17)
    assert torch.equal(samples.y, torch.tensor([0] * 9 + [1] * 8))
    torch.testing.assert_close(samples.x[:, 0], torch.arange(17.0))
    assert task.notes[1] == "3 samples of classes with fewer than 3 dropped"
    assert len(_from_frame("own", features[:17], rings[:17]).notes) == 1


def test_classes_of_adult_are_two_with_or_without_a_full_stop():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    from kan_assessment.tasks.tabular import _from_frame

    income = pandas.Series(["<=50K", ">50K", "<=50K.", ">50K."] * 5)
    task = _from_frame("adult", pandas.DataFrame({"age": range(20)}), income)
    assert task.n_outputs == 2
    assert torch.equal(task.draw(0).y, torch.arange(20) % 2)
    assert _from_frame("own", pandas.DataFrame({"a": range(20)}), pandas.Series([1.5, 2.5] * 10)).n_outputs == 2


def test_digits_lose_their_constant_pixels():
    task = load_task("tabular/digits")
    assert (task.n_features, task.n_outputs) == (61, 10)
    assert task.notes == ("3 constant columns dropped",)


def test_images_keep_their_test_part_and_draw_validation_from_the_rest():
    task = load_task("vision/digits")
    a, b = task.draw(0), task.draw(1)
    assert torch.equal(a.test, b.test)
    assert not torch.equal(a.validation, b.validation)
    everything = torch.cat([*a.stages, a.validation, a.test])
    assert everything.sort().values.equal(torch.arange(1797))
    assert 0 <= a.x.min() < a.x.max() <= 1


def test_classes_arrive_in_three_stages():
    task = load_task("continual/digits")
    samples = task.draw(0)
    stages = [set(samples.y[stage].tolist()) for stage in samples.stages]
    assert stages == [{0, 1, 2}, {3, 4, 5}, {6, 7, 8, 9}]
    assert set(samples.y[samples.test].tolist()) == set(range(10))


@pytest.mark.parametrize("d", [1, 2, 8])
def test_targets_of_any_dimension_have_unit_variance(d):
    for kind in ("generic", "compositional"):
        samples = load_target(kind, d).draw(2)
        (train,) = samples.stages
        assert samples.y[train].std() == pytest.approx(1, abs=1e-4)
        assert samples.x.shape == (6000, d)
    x = load_target("compositional", d).draw(0).x
    y = load_target("compositional", d).draw(0).y
    expected = torch.exp(torch.sin(torch.pi * x).sum(1) / d)
    assert torch.corrcoef(torch.stack([y, expected]))[0, 1] > 0.99999


def test_a_generic_target_is_another_one_for_each_seed():
    from kan_assessment.tasks.targets import generic

    for seed in (0, 1):
        samples = load_target("generic", 3).draw(seed)
        for other in (0, 1):
            both = torch.stack([samples.y, generic(samples.x, other)])
            correlation = float(torch.corrcoef(both)[0, 1])
            assert correlation > 0.9999 if seed == other else abs(correlation) < 0.7


def test_a_generic_target_is_as_rough_along_an_axis_in_many_dimensions_as_in_one():
    from kan_assessment.tasks.targets import generic

    roughness = []
    for d in (1, 8):
        found = []
        for seed in range(20):
            x = 2 * torch.rand(200, d, generator=torch.Generator().manual_seed(seed)) - 1
            step = torch.zeros(d)
            step[0] = 0.01
            found.append(((generic(x + step, seed) - generic(x - step, seed)) / 0.02).square().mean())
        roughness.append(torch.stack(found).mean().sqrt())
    assert roughness[1] / roughness[0] == pytest.approx(1, abs=0.3)


def test_a_table_of_one_s_own(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{'red' if a > 0 else 'blue'},7,{2 * a:.3f}" for a in rng.normal(size=40)]
    (tmp_path / "own.csv").write_text("a,color,same,price\n" + "\n".join(rows) + "\n")
    task = load_file(tmp_path / "own.csv", "price")
    assert (task.metric, task.n_outputs, task.domain) == ("rmse", 1, "own")
    assert task.n_features == 3
    assert task.notes
    by_color = load_file(tmp_path / "own.csv", "color")
    assert (by_color.metric, by_color.n_outputs) == ("accuracy", 2)


def test_arrays_of_one_s_own(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2, 3))
    x[:, 0, 0] = 1.0
    np.savez(tmp_path / "classes.npz", x=x, y=np.arange(30) % 3)
    np.savez(tmp_path / "values.npz", x=x, y=rng.normal(size=(30, 1)))
    task = load_task(str(tmp_path / "classes.npz"))
    assert (task.n_features, task.n_outputs, task.notes) == (5, 3, ("1 constant columns dropped",))
    assert load_file(tmp_path / "values.npz", metric="mae").metric == "mae"


def test_wrong_files_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "few.npz", x=np.zeros((4, 2)), y=np.zeros(4))
    np.savez(tmp_path / "lone.npz", x=rng.random((20, 2)), y=np.r_[np.zeros(19, int), 1])
    np.savez(tmp_path / "nan.npz", x=np.full((20, 2), np.nan), y=np.zeros(20))
    np.savez(tmp_path / "names.npz", a=np.zeros(3))
    np.savez(tmp_path / "negative.npz", x=rng.random((20, 2)), y=np.arange(20) - 5)
    np.savez(tmp_path / "wide.npz", x=rng.random((20, 2)), y=rng.random((20, 2)))
    np.savez(tmp_path / "flat.npz", x=rng.random(20), y=rng.random(20))
    np.savez(tmp_path / "empty.npz", x=np.zeros((0, 2)), y=np.zeros(0, int))
    np.savez(tmp_path / "constant.npz", x=np.ones((20, 2)), y=rng.random(20))
    np.savez(tmp_path / "identifiers.npz", x=rng.random((20, 2)), y=np.arange(20) + 10**12)
    for name, told in (
        ("flat", "a row of features"),
        ("empty", "a row of features"),
        ("constant", "no feature with more than one value"),
        ("identifiers", "numbered from 0 on, but one of 20 samples has 1000000000019"),
        ("few", "at least 10 samples"),
        ("lone", "a class has 1 samples"),
        ("nan", "not finite"),
        ("names", "x and y"),
        ("negative", "numbered from 0"),
        ("wide", "one number for each sample"),
    ):
        with pytest.raises(ValueError, match=told):
            load_file(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        load_file(tmp_path / "absent.npz")
    np.savez(tmp_path / "values.npz", x=rng.random((20, 2)), y=rng.random(20))
    with pytest.raises(ValueError, match="accuracy does not apply to a regression"):
        load_file(tmp_path / "values.npz", metric="accuracy")


def test_tasks_are_named():
    assert names_of("symbolic") == SUITES["symbolic"]
    assert len(names_of("all")) == sum(map(len, SUITES.values()))
    for name, told in (
        ("wine", "tasks are named like"),
        ("audio/x", "tasks are named like"),
        ("symbolic/sine", "there is no function sine"),
        ("tabular/boston", "there is no tabular data set boston"),
        ("scaling/generic", "scaling/generic/4"),
        ("scaling/rough/4", "compositional or generic"),
        ("scaling/generic/0", "at least one dimension"),
    ):
        with pytest.raises(ValueError, match=told):
            load_task(name)
    with pytest.raises(ValueError, match="no suite"):
        names_of("audio")


def test_a_task_of_doubles_is_trained_in_single_precision():
    x = torch.rand(20, 2, dtype=torch.float64)
    samples = make_task("own", x, x[:, 0]).draw(0)
    assert samples.x.dtype == samples.y.dtype == torch.float32
    with pytest.raises(ValueError, match="too large for single precision"):
        make_task("own", 1e300 * x, x[:, 0])


def test_a_task_is_split_anew_for_each_seed():
    task = make_task("own", torch.rand(40, 2), torch.arange(40) % 2, n_classes=2)
    tests = [set(task.draw(seed).test.tolist()) for seed in range(4)]
    assert len(set(map(frozenset, tests))) == 4
    assert tests[1] == set(task.draw(1).test.tolist())


def test_the_best_constant_answer_is_known_from_training_samples():
    def trivial(y, metric):
        samples = Samples(torch.zeros(8, 1), torch.tensor(y), (torch.arange(4),), torch.tensor([4]), torch.arange(5, 8))
        return Task("own", "own", metric, 1, 2, lambda seed: samples).trivial(0)

    assert trivial([0, 0, 0, 1, 1, 1, 1, 0], "accuracy") == pytest.approx(100 / 3)
    y = [1.0, 1.0, 1.0, 5.0, 9.0, 1.0, 2.0, 4.0]
    # The mean of the first four is 2, and their median 1.
    assert trivial(y, "rmse") == pytest.approx((5 / 3) ** 0.5)
    assert trivial(y, "mae") == pytest.approx(4 / 3)
    assert trivial(y, "median error") == pytest.approx(1)


def test_a_task_in_memory_is_checked():
    with pytest.raises(ValueError, match="20 samples, but 19 targets"):
        make_task("own", torch.zeros(20, 2), torch.zeros(19))
    with pytest.raises(ValueError, match="not finite"):
        make_task("own", torch.zeros(20, 2), torch.full((20,), float("inf")))
