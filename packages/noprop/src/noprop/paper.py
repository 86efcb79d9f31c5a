"""What Li, Teh and Pascanu (2025) claim."""

from separata import Claim, Paper

NEARLY_CHANCE = 0.2
"""Accuracy below which ten classes are guessed."""

PAPER = Paper(
    name="noprop",
    title="NoProp: Training Neural Networks without Full Back-propagation or Full Forward-propagation",
    authors=("Qinyu Li", "Yee Whye Teh", "Razvan Pascanu"),
    year=2025,
    arxiv="2503.24322",
    field="Learning rules",
    short="NoProp",
    claims=(
        Claim(
            "matches-backprop",
            "NoProp in discrete time classifies about as well as back-propagation through the same blocks",
            metric="accuracy on MNIST; test accuracy unless named otherwise",
            paper={
                "dt": 0.9954,
                "backprop": 0.9946,
                "dt_train": None,
                "backprop_train": None,
                "untrained": None,
            },
            labels={
                "dt": "NoProp-DT",
                "backprop": "back-propagation",
                "dt_train": "NoProp-DT, training accuracy",
                "backprop_train": "back-propagation, training accuracy",
                "untrained": "NoProp-DT before training",
            },
            criterion="both at least 0.92, NoProp-DT at most 0.025 below back-propagation; below 0.92 before training",
            holds=lambda m: min(m["dt"], m["backprop"]) >= 0.92 > m["untrained"] and m["dt"] >= m["backprop"] - 0.025,
            note="The paper's figures are for 60,000 images, larger blocks and 100 epochs.",
        ),
        Claim(
            "better-than-backprop-free",
            "NoProp classifies better than an earlier method without back-propagation, Forward-Forward",
            metric="test accuracy on MNIST after equal training time",
            paper={"dt": 0.9954, "ff": 0.9863},
            labels={"dt": "NoProp-DT", "ff": "Forward-Forward"},
            criterion="NoProp-DT above Forward-Forward, which is above 0.5",
            holds=lambda m: m["dt"] > m["ff"] > 0.5,
            note="Local Greedy Forward Gradient and Difference Target Propagation are compared in the paper by numbers "
            "from the literature, and not measured here.",
        ),
        Claim(
            "less-memory",
            "Training needs less memory than back-propagation, since no block waits for another",
            metric="bytes held for the backward pass of a step, in MiB",
            paper={"block": None, "stacked": None, "backprop": None},
            labels={
                "block": "NoProp-DT, block after block",
                "stacked": "NoProp-DT, all blocks at once",
                "backprop": "back-propagation",
            },
            criterion="one block's step at most a third of back-propagation's",
            holds=lambda m: 0 < m["block"] <= m["backprop"] / 3,
            note="The paper reports the memory of the whole process on a GPU: 0.49 GB against 0.87 GB on MNIST.",
        ),
        Claim(
            "faster-than-adjoint",
            "NoProp in continuous time is more accurate than a neural ODE trained by the adjoint method for as long",
            metric="test accuracy on MNIST after equal training time",
            paper={"ct": None, "adjoint": None},
            labels={"ct": "NoProp-CT", "adjoint": "neural ODE, adjoint method"},
            criterion="NoProp-CT above the neural ODE, which is above 0.2, and above 0.5",
            holds=lambda m: m["ct"] > m["adjoint"] > NEARLY_CHANCE and m["ct"] > 0.5,
            note="The paper shows it for CIFAR-10 and CIFAR-100.",
        ),
        Claim(
            "flow-matching",
            "The same training works with flow matching",
            metric="test accuracy on MNIST",
            paper={"fm": None, "untrained": None},
            labels={"fm": "NoProp-FM", "untrained": "NoProp-FM before training"},
            criterion="at least 0.90, and below it before training",
            holds=lambda m: m["fm"] >= 0.9 > m["untrained"],
        ),
        Claim(
            "independent-blocks",
            "Each block learns alone: nothing is propagated forward or backward through the others",
            metric="test accuracy on MNIST of blocks trained together, and each from its own file in a random order; "
            "largest gradient in any other block",
            paper={"together": None, "apart": None, "elsewhere": None, "backprop_elsewhere": None},
            labels={
                "together": "trained together",
                "apart": "trained apart",
                "elsewhere": "gradient in other blocks",
                "backprop_elsewhere": "gradient in other blocks, back-propagation",
            },
            criterion="accuracies within 0.01, both above 0.5; no gradient in other blocks, where back-propagation has",
            holds=lambda m: (
                abs(m["together"] - m["apart"]) <= 0.01
                and min(m["together"], m["apart"]) > 0.5
                and m["elsewhere"] == 0 < m["backprop_elsewhere"]
            ),
        ),
        Claim(
            "chain-improves",
            "The answer gets better along the chain of blocks, from noise to the class",
            metric="test accuracy on MNIST of the class whose embedding is nearest, by step",
            paper={"first": None, "middle": None, "last": None, "fall": None},
            labels={
                "first": "before the first block",
                "middle": "in the middle of the chain",
                "last": "after the last block",
                "fall": "largest fall in a step",
            },
            criterion="below 0.2 at first, above 0.9 at last, never falls by more than 0.01 in a step",
            holds=lambda m: (
                m["first"] < NEARLY_CHANCE and m["last"] > 0.9 and m["fall"] <= 0.01 and m["middle"] <= m["last"]
            ),
        ),
        Claim(
            "embeddings",
            "Classes may be embedded as one-hot vectors, as learned vectors or as learned prototype images",
            metric="test accuracy on 8 x 8 digits",
            paper={"one_hot": None, "learned": None, "prototype": None},
            labels={"one_hot": "one-hot", "learned": "learned vectors", "prototype": "learned prototypes"},
            criterion="at least 0.9 with each",
            holds=lambda m: all(m[kind] >= 0.9 for kind in ("one_hot", "learned", "prototype")),
            note="The paper finds no consistent winner.",
        ),
    ),
)
