"""What Su et al. (2024) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

OPTIMAL = "1-Optimal-64: share of unseen mazes with an optimal plan among 64 samples"
STEPS = "search steps of a response over those of the complete-trace model"

DUALFORMER, COMPLETE, SOLUTIONS = "Dualformer", "complete traces", "solutions only"
SLOW, FAST, AUTO = (f"{DUALFORMER}, {mode}" for mode in ("slow", "fast", "auto"))


def _beats_all(m: Mapping[str, float]) -> bool:
    """Whether each mode solves more than its baseline, with fewer steps where both search."""
    is_better = m["slow"] > m["complete_trace"] and m["auto"] > m["complete_trace"] and m["fast"] > m["solution_only"]
    return is_better and m["slow_steps"] < 0.95 and m["auto_steps"] < 0.95


def _decides(m: Mapping[str, float]) -> bool:
    return 0.01 <= m["slow_share"] <= 0.99


def _is_diverse(m: Mapping[str, float]) -> bool:
    return m["dualformer"] > m["complete_trace"] and m["dualformer_equal"] > m["complete_trace_equal"]


PAPER = Paper(
    name="dualformer",
    short="Dualformer",
    title="Dualformer: Controllable Fast and Slow Thinking by Learning with Randomized Reasoning Traces",
    authors=("DiJia Su", "Sainbayar Sukhbaatar", "Michael Rabbat", "Yuandong Tian", "Qinqing Zheng"),
    venue="International Conference on Learning Representations",
    year=2025,
    arxiv="2410.09918",
    field="Reasoning",
    claims=(
        Claim(
            "slow-optimal",
            "In slow mode it solves 97.6 % of unseen mazes optimally, against 93.3 % for a model trained on complete "
            "traces",
            metric=OPTIMAL,
            paper={"dualformer": 0.976, "complete_trace": 0.933},
            labels={"dualformer": SLOW, "complete_trace": COMPLETE},
            criterion=(
                "at least 95 % (97.6 %, within 3 points), and at least 3 points more than the baseline (4.3 points); "
                "direction: more than the baseline"
            ),
            holds=lambda m: m["dualformer"] >= 0.95 and m["dualformer"] - m["complete_trace"] >= 0.03,
            direction=lambda m: m["dualformer"] > m["complete_trace"],
        ),
        Claim(
            "slow-shorter",
            "In slow mode it takes 45.5 % fewer reasoning steps than a model trained on complete traces",
            metric=STEPS,
            paper={"steps": 0.545, "steps_solved": None, "tokens": None},
            labels={
                "steps": "steps, all responses",
                "steps_solved": "steps, correct responses to mazes that both solve",
                "tokens": "trace tokens, all responses",
            },
            criterion=(
                "at most 0.60 of the steps (45.5 % fewer, within 10 %), and fewer among correct responses too; "
                "direction: at least 5 % fewer in both"
            ),
            holds=lambda m: m["steps"] <= 0.60 and m["steps_solved"] < 0.95,
            direction=lambda m: m["steps"] < 0.95 and m["steps_solved"] < 0.95,
            note="A search step is a create or close clause; whether the paper counts these or tokens is not certain.",
        ),
        Claim(
            "fast-optimal",
            "In fast mode it solves 80 % of unseen mazes optimally, against 30 % for a model trained on solutions only",
            metric=OPTIMAL,
            paper={"dualformer": 0.80, "solution_only": 0.30},
            labels={"dualformer": FAST, "solution_only": SOLUTIONS},
            criterion=(
                "at least 72 %, and at least 2.4 times as many as the baseline (80 % and 2.67 times, within 10 %); "
                "direction: more than the baseline"
            ),
            holds=lambda m: m["dualformer"] >= 0.72 and m["dualformer"] >= 2.4 * m["solution_only"],
            direction=lambda m: m["dualformer"] > m["solution_only"],
        ),
        Claim(
            "auto",
            "Left to decide, it thinks fast or slow, and solves 96.6 % of unseen mazes optimally with 59.9 % fewer "
            "reasoning steps than a model trained on complete traces",
            metric=f"{OPTIMAL}; {STEPS}; share of responses with a trace",
            paper={"auto": 0.966, "complete_trace": 0.933, "steps": 0.401, "slow_share": None},
            labels={
                "auto": AUTO,
                "complete_trace": COMPLETE,
                "steps": "steps, Dualformer over complete traces",
                "slow_share": "responses with a trace",
            },
            criterion=(
                "at least 94 % (96.6 %, within 3 points), at most 0.44 of the steps (59.9 % fewer, within 10 %), and "
                "each mode chosen in at least 1 % of responses; direction: at least 5 % fewer steps, no fewer mazes "
                "than the baseline, both modes chosen"
            ),
            holds=lambda m: m["auto"] >= 0.94 and m["steps"] <= 0.44 and _decides(m),
            direction=lambda m: m["auto"] >= m["complete_trace"] and m["steps"] < 0.95 and _decides(m),
        ),
        Claim(
            "all-modes",
            "In all three modes it beats the baseline models in both performance and computational efficiency",
            metric=f"{OPTIMAL}; {STEPS}",
            paper={
                "slow": 0.976,
                "auto": 0.966,
                "fast": 0.80,
                "complete_trace": 0.933,
                "solution_only": 0.30,
                "slow_steps": 0.545,
                "auto_steps": 0.401,
            },
            labels={
                "slow": SLOW,
                "auto": AUTO,
                "fast": FAST,
                "complete_trace": COMPLETE,
                "solution_only": SOLUTIONS,
                "slow_steps": "steps, slow over complete traces",
                "auto_steps": "steps, auto over complete traces",
            },
            criterion=(
                "slow and auto solve more mazes than the complete-trace model with at least 5 % fewer steps, and fast "
                "solves more than the solution-only model"
            ),
            holds=_beats_all,
            note="Fast mode and the solution-only model write no trace: between these, only solved mazes are compared.",
        ),
        Claim(
            "diversity",
            "Its plans are more diverse than those of a model trained on complete traces",
            metric="different correct plans among the 64 samples of a maze in slow mode, mean over mazes",
            paper={"dualformer": None, "complete_trace": None, "dualformer_equal": None, "complete_trace_equal": None},
            labels={
                "dualformer": DUALFORMER,
                "complete_trace": COMPLETE,
                "dualformer_equal": f"{DUALFORMER}, equally many correct responses",
                "complete_trace_equal": f"{COMPLETE}, equally many correct responses",
            },
            criterion="more different plans, and more among equally many correct responses to the same mazes",
            holds=_is_diverse,
            note=(
                "A model that is right more often finds more plans by that alone. The second pair of numbers is the "
                "expectation among equally many correct responses, on mazes that both models solve at least twice."
            ),
        ),
        Claim(
            "llm",
            "Randomly dropping reasoning steps improves the fine-tuning of language models on mathematics",
            metric="share of right answers, and characters written for a solution",
            paper={"accuracy_all": None, "accuracy_dropped": None, "length_all": None, "length_dropped": None},
            labels={
                "accuracy_all": "right answers, all steps",
                "accuracy_dropped": "right answers, steps dropped",
                "length_all": "characters, all steps",
                "length_dropped": "characters, steps dropped",
            },
            criterion="more right answers after training with dropped steps than with all steps",
            holds=lambda m: m["accuracy_dropped"] > m["accuracy_all"],
            note=(
                "Measured on a small character model trained from scratch on synthetic sums, not on a large language "
                "model and MATH. Each step of a sum is needed: where one is dropped, two operations must be done at "
                "once."
            ),
        ),
    ),
)
