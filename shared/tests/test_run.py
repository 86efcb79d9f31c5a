"""What an experiment does with its run."""

import math

import pytest
import torch
from joblib.externals.loky import get_reusable_executor

from separata import Run
from separata.run import Compute


@pytest.fixture
def run(oja, tmp_path) -> Run:
    return Run(oja, ("bounded", "first-component"), tmp_path / "out")


@pytest.fixture(params=["smoke", "quick"], ids=["in this process", "in several"])
def mapping(oja, tmp_path, request) -> Run:
    # Workers that are left from another test do not know where this one's package is.
    get_reusable_executor().shutdown(wait=True)
    return Run(oja, ("bounded",), tmp_path / "out", preset=request.param)


def test_generators_are_equal_for_equal_purposes_and_differ_otherwise(run):
    draw = [
        torch.rand(4, generator=run.generator(*key)).tolist()
        for key in [(0,), (0,), (1,), (0, 1), (0, "data"), (0, 1, 2)]
    ]
    assert draw[0] == draw[1]
    assert len({tuple(one) for one in draw}) == 5


def test_measurements_are_plain_numbers_by_seed(run):
    run.measure("bounded", oja=torch.tensor(1.5), hebb=2)
    run.measure("bounded", oja=1, hebb=3)
    assert run.measurements == {"bounded": [{"oja": 1.5, "hebb": 2.0}, {"oja": 1.0, "hebb": 3.0}]}


def test_a_claim_that_is_not_the_experiments_is_refused(run):
    with pytest.raises(ValueError, match="measures bounded, first-component, not 'fast'"):
        run.measure("fast", squid=1.0)


def test_keys_that_are_not_the_claims_are_refused(run):
    with pytest.raises(ValueError, match="'bounded' has the keys oja, hebb, not oja"):
        run.measure("bounded", oja=1.0)


def test_work_is_done_once_for_equal_settings(run, oja, tmp_path):
    from oja_rule.work import CALLS, Setting, square

    first = run.once(square, Setting(3))
    again = Run(oja, ("bounded",), tmp_path / "out").once(square, Setting(3))
    assert first == again
    assert [Setting(3)] == CALLS


@pytest.mark.parametrize(("kind", "fields"), [("Setting", (4,)), ("Setting", (3, (2.0,))), ("OtherSetting", (3,))])
def test_work_is_done_again_for_other_settings(run, kind, fields):
    from oja_rule import work

    other = getattr(work, kind)(*fields)
    run.once(work.square, work.Setting(3))
    run.once(work.square, other)
    assert [work.Setting(3), other] == work.CALLS


def test_map_gives_results_in_order_and_repeats_nothing(mapping, tmp_path):
    from oja_rule.work import CALLS, Folder, Setting, leave_a_file, square

    settings = [Setting(x) for x in (5, 1, 4)]
    mapping.once(square, Setting(1))
    CALLS.clear()
    assert [result["square"] for result in mapping.map(square, settings, "squares")] == [25, 1, 16]
    assert [result["square"] for result in mapping.map(square, settings, "squares")] == [25, 1, 16]
    assert Setting(1) not in CALLS
    # Nor what occurs twice in one call.
    calls = tmp_path / "calls"
    calls.mkdir()
    assert mapping.map(leave_a_file, [Folder(str(calls), seed) for seed in (1, 2, 1, 2, 1)], "calls") == [1, 2, 1, 2, 1]
    assert len(list(calls.iterdir())) == 2


def test_results_over_seeds_are_by_name_in_the_order_of_the_seeds(oja, tmp_path):
    from oja_rule.work import Seeded, digits

    run = Run(oja, ["bounded"], tmp_path, seeds=(3, 1, 2))
    assert run.over_seeds(digits, {"four": Seeded(4), "two": Seeded(2)}, "digits") == {
        "four": [43, 41, 42],
        "two": [23, 21, 22],
    }


def test_the_seed_is_that_of_the_setting_and_else_that_of_its_part(oja, tmp_path):
    from oja_rule.work import Around, Seeded, SeededAround, digits_of_part

    run = Run(oja, ["bounded"], tmp_path, seeds=(1, 2))
    settings = {"part": Around(Seeded(4, 5)), "own": SeededAround(Seeded(4, 5))}
    assert run.over_seeds(digits_of_part, settings, "digits") == {"part": [41, 42], "own": [145, 245]}


def test_the_best_candidate_is_chosen_and_the_first_of_equals(oja, tmp_path):
    from oja_rule.work import Seeded, halved

    run = Run(oja, ["bounded"], tmp_path)
    candidates = {
        "one": [Seeded(1), Seeded(4), Seeded(8)],
        "equal": [Seeded(9), Seeded(4), Seeded(6)],
        "unscored": [Seeded(13), Seeded(99)],
        "single": [Seeded(13)],
    }

    def score(result):
        return math.nan if result["score"] is None else result["score"]

    chosen = run.choose(halved, candidates, score, "candidates")
    assert {name: candidate.x for name, candidate in chosen.items()} == {
        "one": 4, "equal": 4, "unscored": 99, "single": 13
    }  # fmt: skip


def test_the_best_candidate_over_all_seeds_is_chosen_and_has_a_score_with_each(oja, tmp_path):
    from oja_rule.work import Seeded, digits

    run = Run(oja, ["bounded"], tmp_path, seeds=(1, 2))
    scores = {11: 9.0, 12: 0.0, 21: 5.0, 22: 5.0, 31: 99.0, 32: math.nan}
    candidates = {"steady": [Seeded(1), Seeded(2), Seeded(3)]}
    chosen = run.choose(digits, candidates, scores.__getitem__, "candidates", every_seed=True)
    assert chosen == {"steady": Seeded(2)}


def test_every_mapped_call_has_one_thread_however_many_there_are(mapping):
    from oja_rule.work import Setting, square

    one, *many = mapping.map(square, [Setting(9)], "one") + mapping.map(square, [Setting(x) for x in range(3)], "many")
    assert {result["threads"] for result in (one, *many)} == {1}


def test_history_is_a_table(run):
    run.log(1, loss=torch.tensor(0.5), method="a")
    run.log(2, accuracy=1)
    assert run.history_csv() == "step,loss,method,accuracy\n1,0.5,a,\n2,,,1.0\n"


def test_figures_belong_to_all_claims_or_to_those_named_and_are_the_same_file_each_time(run, tmp_path):
    from separata import plots

    contents = []
    for _ in range(2):
        run.figure("curve", plots.curves([{"step": 1, "y": 2.0}], "y"), claims=["bounded"])
        contents.append((tmp_path / "out/smoke/curve.svg").read_bytes())
    assert contents[0] == contents[1]
    assert run.figures == {"bounded": ["smoke/curve.svg"] * 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    ids=("unknown", "none", "no threads", "no gpu"),
    argvalues=[
        ({"device": "tpu"}, "one of auto, cpu, cuda, not 'tpu'"),
        ({"devices": 0}, "at least 1, not 0 and 1"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
        pytest.param(
            {"device": "cuda"},
            "finds no CUDA GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU"),
        ),
    ],
)
def test_a_device_that_is_not_there_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Compute(**arguments)


@pytest.mark.gpu
def test_a_gpu_is_taken_when_there_is_one(run):
    assert run.device.type == "cuda"
