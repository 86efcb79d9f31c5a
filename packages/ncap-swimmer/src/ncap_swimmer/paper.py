"""What Bhattasali, Zador and Engel (2022) claim."""

from separata import Claim, Paper

BODIES = (3, 7, 9, 11, 13)
"""Joints of the bodies that the circuit moves to, from 5."""

PAPER = Paper(
    name="ncap-swimmer",
    title="Neural Circuit Architectural Priors for Embodied Control",
    authors=("Nikhil X. Bhattasali", "Anthony M. Zador", "Tatiana A. Engel"),
    venue="Advances in Neural Information Processing Systems",
    year=2022,
    arxiv="2201.05242",
    claims=(
        Claim(
            "initial-performance",
            "The circuit performs well before any training",
            metric="return of an episode, of at most 1000, before training",
            paper={"ncap": None, "mlp": None, "random": None},
            holds=lambda m: m["ncap"] > 500 and m["ncap"] > 2 * max(m["mlp"], m["random"]),
        ),
        Claim(
            "final-performance",
            "After training it performs comparably with multilayer perceptrons",
            metric="return after training under each algorithm, with as many environment steps allowed; comparable: at "
            "least 90 %",
            paper={"es_ncap": None, "es_mlp": None, "ppo_ncap": None, "ppo_mlp": None},
            holds=lambda m: m["es_ncap"] >= 0.9 * m["es_mlp"] and m["ppo_ncap"] >= 0.9 * m["ppo_mlp"],
        ),
        Claim(
            "data-efficiency",
            "It needs far less data than a perceptron",
            metric="environment steps until a return of 500 under each algorithm, or all steps if it is never reached",
            paper={"es_ncap": None, "es_mlp": None, "ppo_ncap": None, "ppo_mlp": None},
            holds=lambda m: 10 * m["es_ncap"] <= m["es_mlp"] and 10 * m["ppo_ncap"] <= m["ppo_mlp"],
        ),
        Claim(
            "parameters",
            "It has orders of magnitude fewer parameters",
            metric="trainable parameters: shared over the body, one a joint and side, and of the perceptron (256, 256)",
            paper={"ncap": None, "ncap_not_shared": None, "mlp": None},
            holds=lambda m: m["mlp"] >= 100 * m["ncap_not_shared"] >= 100 * m["ncap"],
        ),
        Claim(
            "transfer",
            "It transfers to bodies with other numbers of joints without training there",
            metric="return on the training body (5 joints) and on others; their mean is to reach 80 % of it, and each "
            "twice that of random torques",
            paper={"trained_on": None, **{f"joints_{n}": None for n in BODIES}, "most_random": None},
            holds=lambda m: (
                sum(m[f"joints_{n}"] for n in BODIES) / len(BODIES) >= 0.8 * m["trained_on"]
                and min(m[f"joints_{n}"] for n in BODIES) >= 2 * m["most_random"]
            ),
        ),
        Claim(
            "sign-constraint",
            "Constraining weights to the sign of their synapse is crucial for learning",
            metric="return after evolution from uniform random weights, with and without the constraint; crucial: a "
            "difference of at least 200",
            paper={"signed": None, "unsigned": None},
            holds=lambda m: m["signed"] - m["unsigned"] >= 200,
        ),
        Claim(
            "weight-initialization",
            "Initial weights of equal size improve the initial performance",
            metric="return before training, from weights of +1 or -1 and from uniform random ones of the same signs",
            paper={"constant": None, "uniform": None},
            holds=lambda m: m["constant"] > m["uniform"],
        ),
        Claim(
            "interpretability",
            "Its activity can be read: the head bends with the oscillator, and a wave travels to the tail",
            metric="shortest lag of a joint behind the one before it, in steps of 30 ms, and correlation of the first "
            "joint with the oscillator",
            paper={"shortest_lag": None, "head_correlation": None},
            holds=lambda m: m["shortest_lag"] > 0 and m["head_correlation"] > 0,
        ),
    ),
)
