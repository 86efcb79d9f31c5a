"""What Bhattasali, Zador and Engel (2022) claim."""

from collections.abc import Mapping

from separata import Claim, Paper

BODIES = (3, 7, 9, 11, 13)
"""Joints of the bodies that the circuit moves to, from 5."""

CURVES = {"es_ncap": "circuit, ES", "es_mlp": "MLP, ES", "ppo_ncap": "circuit, PPO", "ppo_mlp": "MLP, PPO"}


def _is_comparable(m: Mapping[str, float]) -> bool:
    return all(
        m[f"{algo}_ncap"] >= 0.9 * m[f"{algo}_mlp"] and m[f"{algo}_ncap"] > m["untrained"] for algo in ("es", "ppo")
    )


def _transfers(m: Mapping[str, float]) -> bool:
    others = [m[f"joints_{n}"] for n in BODIES]
    mean = sum(others) / len(others)
    return mean >= 0.8 * m["trained_on"] and mean > m["untrained"] and min(others) >= 2 * m["most_random"]


def _is_far_smaller(m: Mapping[str, float]) -> bool:
    return all(0 < 100 * m[ours] <= m[mlp] for ours in ("ncap", "ncap_not_shared") for mlp in ("mlp", "mlp_small"))


def _is_crucial(m: Mapping[str, float]) -> bool:
    gain, gain_without = (m[name] - m[f"{name}_before"] for name in ("signed", "unsigned"))
    return m["signed"] - m["unsigned"] >= 200 and gain > 0 and gain >= 2 * gain_without


PAPER = Paper(
    name="ncap-swimmer",
    short="NCAP",
    field="Motor control",
    title="Neural Circuit Architectural Priors for Embodied Control",
    authors=("Nikhil X. Bhattasali", "Anthony M. Zador", "Tatiana A. Engel"),
    venue="Advances in Neural Information Processing Systems",
    year=2022,
    arxiv="2201.05242",
    claims=(
        Claim(
            "initial-performance",
            "The circuit performs well before any training",
            metric="return of an episode before training; the maximum is 1000",
            criterion="above 500, and more than twice the return of the untrained MLP and of random torques",
            paper={"ncap": None, "mlp": None, "random": None},
            labels={"ncap": "circuit", "mlp": "MLP", "random": "random torques"},
            holds=lambda m: m["ncap"] > 500 and m["ncap"] > 2 * m["mlp"] and m["ncap"] > 2 * m["random"],
        ),
        Claim(
            "final-performance",
            "Its asymptotic performance is comparable to that of multilayer perceptrons (MLPs)",
            metric="return at the plateau of learning",
            criterion="at least 90 % of the MLP's return under each algorithm, and more than the untrained circuit's",
            paper={**dict.fromkeys(CURVES), "untrained": None},
            labels={**CURVES, "untrained": "untrained circuit"},
            holds=_is_comparable,
            note="Training to the plateau takes 40 minutes on 2 CPU cores.",
        ),
        Claim(
            "data-efficiency",
            "It needs dramatically less data than an MLP",
            metric="environment steps until a return of 850, which no policy reaches before training",
            criterion="at most a tenth of the MLP's steps under each algorithm; a training that does not reach 850 "
            "counts with all steps allowed",
            paper=dict.fromkeys(CURVES),
            labels=CURVES,
            holds=lambda m: 10 * m["es_ncap"] <= m["es_mlp"] and 10 * m["ppo_ncap"] <= m["ppo_mlp"],
        ),
        Claim(
            "parameters",
            "It has orders of magnitude fewer parameters",
            metric="trainable parameters",
            criterion="at most a hundredth of either MLP's (two orders of magnitude), with weights shared or not",
            paper={"ncap": None, "ncap_not_shared": None, "mlp": None, "mlp_small": None},
            labels={
                "ncap": "circuit",
                "ncap_not_shared": "circuit, weights not shared",
                "mlp": "MLP (256, 256)",
                "mlp_small": "MLP (64, 64)",
            },
            holds=_is_far_smaller,
            note="Counted, so the same for every seed.",
        ),
        Claim(
            "transfer",
            "It transfers to new body designs without further training",
            metric="return after training with 5 joints, there and on other bodies",
            criterion="mean over the other bodies at least 80 % of the return with 5 joints, and above that of the "
            "untrained circuit; on each at least twice the best return of random torques",
            paper={"trained_on": None, **{f"joints_{n}": None for n in BODIES}, "untrained": None, "most_random": None},
            labels={
                "trained_on": "5 joints (training)",
                **{f"joints_{n}": f"{n} joints" for n in BODIES},
                "untrained": "untrained circuit, mean of the other bodies",
                "most_random": "random torques, best body",
            },
            holds=_transfers,
        ),
        Claim(
            "sign-constraint",
            "Constrained excitation and inhibition is crucial for learning",
            metric="return after ES from uniform random weights",
            criterion="after training at least 200 more with the constraint than without, and at least twice the gain "
            "by training",
            paper={"signed": None, "unsigned": None, "signed_before": None, "unsigned_before": None},
            labels={
                "signed": "signs constrained",
                "unsigned": "signs free",
                "signed_before": "signs constrained, before training",
                "unsigned_before": "signs free, before training",
            },
            holds=_is_crucial,
        ),
        Claim(
            "weight-initialization",
            "Weight initialization contributes to the good initial performance",
            metric="return before training",
            criterion="at least 200 more with weights of +1 and -1 than with uniform random weights of the same signs",
            paper={"constant": None, "uniform": None},
            labels={"constant": "+1 and -1", "uniform": "uniform random"},
            holds=lambda m: m["constant"] - m["uniform"] >= 200,
        ),
        Claim(
            "interpretability",
            "It is interpretable: the head bends with the oscillator, and from there a wave travels to the tail",
            metric="share of episodes in which the head follows the oscillator and every joint the one before it: "
            "correlation of at least 0.7 at a lag of less than half a period (for the head, a quarter)",
            criterion="all episodes, before and after training; at most a quarter of them with the sensors shuffled, "
            "so that joints do not drive the ones behind them",
            paper={"ncap": None, "trained": None, "shuffled": None},
            labels={
                "ncap": "untrained circuit",
                "trained": "trained circuit",
                "shuffled": "untrained circuit, sensors shuffled",
            },
            holds=lambda m: m["ncap"] == m["trained"] == 1 and m["shuffled"] <= 0.25,
        ),
    ),
)
