"""What Su et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

OPTIMAL = "1-Optimal-64: unseen mazes with an optimal plan among 64 samples"


def _all_modes(m: Mapping[str, float]) -> bool:
    """Whether each mode is at least as good as its baseline, with less thought where it thinks."""
    thinks_less = m["slow_ratio"] < 1 and m["auto_ratio"] < 1
    is_as_good = m["slow"] >= m["complete_trace"] and m["auto"] >= m["complete_trace"]
    return thinks_less and is_as_good and m["fast"] > m["solution_only"]


PAPER = Paper(
    name="dualformer",
    title="Dualformer: Controllable Fast and Slow Thinking by Learning with Randomized Reasoning Traces",
    authors=("DiJia Su", "Sainbayar Sukhbaatar", "Michael Rabbat", "Yuandong Tian", "Qinqing Zheng"),
    venue="International Conference on Learning Representations",
    year=2025,
    arxiv="2410.09918",
    claims=(
        Claim(
            "slow-optimal",
            "In slow mode it solves unseen mazes optimally more often than a model trained on complete traces",
            metric=OPTIMAL,
            paper={"dualformer": 0.976, "complete_trace": 0.933},
            holds=lambda m: m["dualformer"] >= m["complete_trace"] > 0,
        ),
        Claim(
            "slow-shorter",
            "In slow mode it takes 45.5 % fewer reasoning steps than a model trained on complete traces",
            metric="trace tokens (and search steps) over those of the complete-trace model; at most 0.8 to hold",
            paper={"tokens": 0.545, "steps": None, "tokens_from_scratch": None},
            holds=lambda m: 0 < m["tokens"] <= 0.8 and 0 < m["tokens_from_scratch"] <= 0.8,
            note="Whether the paper's 45.5 % counts tokens or search steps is not certain.",
        ),
        Claim(
            "fast-optimal",
            "In fast mode it solves unseen mazes optimally far more often than a model trained on solutions only",
            metric=OPTIMAL,
            paper={"dualformer": 0.80, "solution_only": 0.30},
            holds=lambda m: m["dualformer"] > m["solution_only"],
        ),
        Claim(
            "auto",
            "Left to decide, it thinks fast or slow, and solves 96.6 % of mazes with 59.9 % fewer reasoning steps",
            metric=f"{OPTIMAL}, trace tokens over those of the complete-trace model, share of responses with a trace",
            paper={"auto": 0.966, "fast": 0.80, "tokens": 0.401, "slow_share": None},
            holds=lambda m: m["auto"] >= m["fast"] and m["tokens"] < 1 and 0 < m["slow_share"] < 1,
        ),
        Claim(
            "all-modes",
            "In all three modes it beats the baseline models in both performance and computational efficiency",
            metric="1-Optimal-64 of each mode and baseline; trace tokens over those of the complete-trace model",
            paper={
                "slow": 0.976,
                "auto": 0.966,
                "fast": 0.80,
                "complete_trace": 0.933,
                "solution_only": 0.30,
                "slow_ratio": 0.545,
                "auto_ratio": 0.401,
            },
            holds=_all_modes,
        ),
        Claim(
            "diversity",
            "Its plans are more diverse than those of a model trained on complete traces",
            metric="distinct correct plans among the samples of a maze in slow mode, mean over mazes",
            paper={"dualformer": None, "complete_trace": None},
            holds=lambda m: m["dualformer"] > m["complete_trace"],
        ),
        Claim(
            "llm",
            "Dropping reasoning steps at random improves the fine-tuning of language models on mathematics",
            metric="right answers and written characters after training on all steps and with a fifth dropped",
            paper={"accuracy_all": None, "accuracy_dropped": None, "length_all": None, "length_dropped": None},
            holds=lambda m: (
                m["accuracy_dropped"] >= m["accuracy_all"] > 0 and m["length_dropped"] <= 0.9 * m["length_all"]
            ),
            note=(
                "Measured on a small model of characters, trained from nothing on made-up sums, not on a large model "
                "and MATH. Each step of a sum is needed: where one is left out, two operations have to be done at once."
            ),
        ),
    ),
)
