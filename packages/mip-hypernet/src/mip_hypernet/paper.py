"""What Gonzalez Ortiz, Guttag and Dalca (ICLR 2024) claim."""

from separata import Claim, Paper

TASKS = {"regularization": "regularization paths", "registration": "registration", "scale_space": "scale space"}
FACTORS = ("activation", "normalization", "dimension", "architecture", "optimizer")

PAPER = Paper(
    name="mip-hypernet",
    title="Magnitude Invariant Parametrizations Improve Hypernetwork Learning",
    authors=("Jose Javier Gonzalez Ortiz", "John Guttag", "Adrian V. Dalca"),
    year=2024,
    venue="ICLR",
    arxiv="2304.07645",
    field="Architectures",
    short="Magnitude invariant hypernetworks (MIP)",
    claims=(
        Claim(
            "slow",
            "Training a hypernetwork typically converges far more slowly than training a network without one, and how "
            "fast depends strongly on hyperparameters",
            metric="steps to a training loss of 0.5 with the best of the candidate settings, and the slowest candidate "
            "by the fastest",
            paper={"plain": None, "default": None, "spread_plain": None, "spread_default": None},
            labels={
                "plain": "the network alone: steps",
                "default": "default hypernetwork: steps",
                "spread_plain": "the network alone: slowest by fastest candidate",
                "spread_default": "default hypernetwork: slowest by fastest candidate",
            },
            criterion="at least twice the steps; a ratio of candidates of at least 2, and above that of the network "
            "alone",
            holds=lambda m: m["default"] >= 2 * m["plain"] > 0 and m["spread_default"] >= max(2, m["spread_plain"]),
            note="Candidates are 3 learning rates each for Adam and SGD with momentum. A setting that never reaches "
            "the loss counts with all its steps, which understates how slow it is.",
        ),
        Claim(
            "proportional",
            "Inputs and outputs of a hypernetwork are proportional in magnitude, and under MIP they are not",
            metric="slope of log std(θ) over log ‖γ‖: 1 is proportional, 0 is invariant",
            paper={
                "default": 1.0,
                "deviation": 0.0,
                "mip": 0.0,
                "mip_ratio": None,
                "default_trained": None,
                "mip_trained": None,
            },
            labels={
                "default": "default, at initialization",
                "deviation": "default: largest |slope − 1| of any tensor, for 1, 4 and 16 inputs",
                "mip": "MIP, at initialization: |slope|",
                "mip_ratio": "MIP: largest by smallest std(θ)",
                "default_trained": "default, after training",
                "mip_trained": "MIP, after training: |slope|",
            },
            criterion="default within 0.02 of 1 for every tensor; MIP below 0.05 at initialization and after training, "
            "and its std within a factor of 1.1",
            holds=lambda m: (
                abs(m["default"] - 1) <= 0.02
                and m["deviation"] <= 0.02
                and m["mip"] < 0.05
                and m["mip_trained"] < 0.05
                and 1 <= m["mip_ratio"] < 1.1
            ),
        ),
        Claim(
            "unstable",
            "This proportionality can make optimization unstable, which slows convergence down and sometimes prevents "
            "any learning",
            metric="training loss, mean over the last 100 steps; share of trainings that fail",
            paper={
                "default_adam": None,
                "encoded_adam": None,
                "default_sgd": None,
                "encoded_sgd": None,
                "sliced_adam": None,
                "sliced_sgd": None,
                "failed_default": None,
                "failed_encoded": None,
                "failed_sliced": None,
            },
            labels={
                "default_adam": "default, Adam",
                "encoded_adam": "default with inputs of constant norm, Adam",
                "default_sgd": "default, SGD",
                "encoded_sgd": "default with inputs of constant norm, SGD",
                "sliced_adam": "default with MIP's initialization, Adam",
                "sliced_sgd": "default with MIP's initialization, SGD",
                "failed_default": "default: share that fails",
                "failed_encoded": "inputs of constant norm: share that fails",
                "failed_sliced": "default with MIP's initialization: share that fails",
            },
            criterion="with Adam at least twice the loss of the same hypernetwork with inputs of constant norm, and "
            "more trainings that fail",
            holds=lambda m: (
                m["default_adam"] >= 2 * m["encoded_adam"] > 0 and m["failed_default"] > m["failed_encoded"] >= 0
            ),
            note="The two differ in nothing but the encoding of the input. A training fails if its loss is never below "
            "2.2, which is hardly better than chance (2.30), or is not finite. Adam at 1e-3 and SGD at 1e-2 with "
            "momentum 0.9. The default begins with predicted weights of the right variance at ‖γ‖ = 1; with MIP's "
            "initialization, that of the authors' library, they are smaller, since nothing is added to them.",
        ),
        Claim(
            "stabilizes",
            "MIP consistently stabilizes training and achieves faster convergence",
            metric="training loss, mean over the last 100 steps, and steps to a loss of 0.5",
            paper=dict.fromkeys(
                (
                    "mip_adam",
                    "default_adam",
                    "mip_sgd",
                    "default_sgd",
                    "failed_mip",
                    "failed_default",
                    *(
                        f"{what}_{name}"
                        for what in ("tuned", "steps")
                        for name in ("mip", "default", "torch", "biased")
                    ),
                    "residual_adam",
                    "residual_sgd",
                    "accuracy_mip",
                    "accuracy_default",
                )
            ),
            labels={
                "mip_adam": "MIP, Adam at 1e-3",
                "default_adam": "default, Adam at 1e-3",
                "mip_sgd": "MIP, SGD at 1e-2",
                "default_sgd": "default, SGD at 1e-2",
                "failed_mip": "MIP: share that fails at these rates",
                "failed_default": "default: share that fails",
                "tuned_mip": "MIP, tuned",
                "tuned_default": "default, tuned",
                "tuned_torch": "default with PyTorch's initialization, tuned",
                "tuned_biased": "default with an output bias, tuned",
                "steps_mip": "MIP, tuned: steps",
                "steps_default": "default, tuned: steps",
                "steps_torch": "PyTorch's initialization, tuned: steps",
                "steps_biased": "output bias, tuned: steps",
                "residual_adam": "residual output alone, Adam at 1e-3",
                "residual_sgd": "residual output alone, SGD at 1e-2",
                "accuracy_mip": "MIP, Adam: test accuracy over γ",
                "accuracy_default": "default, Adam: test accuracy over γ",
            },
            criterion="no training fails; less than half of the default's loss with Adam and with SGD; tuned, a lower "
            "loss in fewer steps than each of three baselines",
            holds=lambda m: (
                m["failed_mip"] == 0
                and 0 < m["mip_adam"] < 0.5 * m["default_adam"]
                and 0 < m["mip_sgd"] < 0.5 * m["default_sgd"]
                and all(
                    m[f"{what}_mip"] < m[f"{what}_{name}"]
                    for what in ("tuned", "steps")
                    for name in ("default", "torch", "biased")
                )
            ),
            note="Each hypernetwork is tuned over the same 6 candidates (Adam or SGD, 3 learning rates each) on "
            "held-out images. The default's initialization is that of Chang et al. (2020), which gives the predicted "
            "weights the variance of He et al. at ‖γ‖ = 1; hidden layers begin alike in all but PyTorch's.",
        ),
        Claim(
            "tasks",
            "MIP does so on several hypernetwork tasks",
            metric="loss on held-out samples, mean over γ, after equal steps",
            paper={f"{task}_{name}": None for task in TASKS for name in ("mip", "default", "torch")} | {"failed": None},
            labels={
                f"{task}_{name}": f"{text}: {kind}"
                for task, text in TASKS.items()
                for name, kind in (("mip", "MIP"), ("default", "default"), ("torch", "PyTorch's initialization"))
            }
            | {"failed": "MIP: share that fails"},
            criterion="MIP lowest on each of three tasks, and none of its trainings fails",
            holds=lambda m: (
                m["failed"] == 0
                and all(m[f"{task}_mip"] < m[f"{task}_{name}"] for task in TASKS for name in ("default", "torch"))
            ),
            note="Each with the best of 3 learning rates for Adam on held-out samples.",
        ),
        Claim(
            "ablations",
            "MIP improves training in all scenarios: activation functions, normalization strategies, input "
            "dimensionality, and hypernetwork architecture",
            metric="share of settings in which MIP ends at a lower training loss than the default; mean of the "
            "difference",
            paper={"share": 1.0, **dict.fromkeys(FACTORS, 1.0), "gain": None},
            labels={
                "share": "all settings",
                "activation": "activation functions",
                "normalization": "normalization",
                "dimension": "numbers of inputs",
                "architecture": "architectures",
                "optimizer": "optimizers",
                "gain": "mean reduction of the loss",
            },
            criterion="in all settings; direction: in at least 90 % of them, and on average",
            holds=lambda m: m["share"] == 1 and m["gain"] > 0,
            direction=lambda m: m["share"] >= 0.9 and m["gain"] > 0,
        ),
        Claim(
            "no-extra-cost",
            "Existing networks are easily turned into hypernetworks with MIP, at no extra cost",
            metric="parameters and time of a step by those of the default; largest relative difference between a "
            "network made for one γ and the hypernetwork",
            paper={"parameters": None, "time": None, "difference": 0.0, "converted": None, "pretrained": 0.0},
            labels={
                "parameters": "parameters by the default's",
                "time": "time of a step by the default's",
                "difference": "plain network against hypernetwork: relative difference",
                "converted": "share of a residual network's parameters that are predicted",
                "pretrained": "network before and after conversion: relative difference",
            },
            criterion="less than 3 % more time and 1 % more parameters; differences below 1e-5; all parameters "
            "converted",
            holds=lambda m: (
                0 < m["time"] < 1.03
                and 0 < m["parameters"] < 1.01
                and max(m["difference"], m["pretrained"]) < 1e-5
                and m["converted"] == 1
            ),
        ),
    ),
)
