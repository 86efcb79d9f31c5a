"""What Yu et al. (2024), "KAN or MLP: A Fairer Comparison", measured, for those who measure the same tasks."""

from collections.abc import Iterable

from .protocol.comparison import Comparison

SWEEPS: dict[str, tuple[int, float, float]] = {
    "mnist": (60_000, 97.56, 94.03),
    "fashion-mnist": (60_000, 88.46, 86.46),
    "kmnist": (60_000, 86.70, 75.22),
    "cifar10": (150_000, 48.6, 42.1),
    "svhn": (150_000, 76.0, 57.3),
    "dry-bean": (1000, 92.77, 92.30),
    "wine-quality": (1000, 53.3, 52.6),
    "telescope": (1000, 85.6, 85.3),
    "adult": (1000, 85.16, 85.95),
    "spambase": (3000, 94.6, 93.7),
    "student-dropout": (3000, 73.1, 76.0),
}
"""Task: parameters at most, accuracy in percent of the best MLP and of the best KAN of the published sweep."""


def beside_published(comparisons: Iterable[Comparison]) -> str:
    """The accuracies at equal parameters of tasks that were published, too, in words; empty where there is none.

    Published are the best test epochs of whole sweeps within the budget, which is optimistic for both.
    """
    told = []
    for one in comparisons:
        mlp, kan = one.entry("mlp"), one.entry("bspline_kan")
        if one.task in SWEEPS and mlp and kan:
            most, of_mlp, of_kan = SWEEPS[one.task]
            told.append(
                f"{one.task} {mlp.mean:.2f} and {kan.mean:.2f} % with {mlp.budget:,.0f} parameters (published, at most "
                f"{most:,}: {of_mlp:.2f} and {of_kan:.2f} %)"
            )
    return f"MLP and KAN beside the published sweeps: {'; '.join(told)}." if told else ""
