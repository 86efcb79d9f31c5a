"""What is said beside published numbers."""

import dataclasses

from kan_assessment import compare, load_task
from kan_assessment.configs import RunConfig, SearchConfig, TrainConfig
from kan_assessment.published import beside_published


def test_measured_accuracies_stand_beside_the_published_ones_of_the_same_task():
    config = RunConfig(train=TrainConfig(epochs=1), search=SearchConfig(trials=1, seeds=2))
    iris = compare(load_task("tabular/iris"), ["mlp", "bspline_kan"], config=config)
    assert beside_published([iris]) == ""
    named = dataclasses.replace(iris, task="kmnist")
    mlp, kan = (iris.entry(model).mean for model in ("mlp", "bspline_kan"))
    told = beside_published([iris, named])
    assert f"kmnist {mlp:.2f} and {kan:.2f} %" in told
    assert "at most 60,000: 86.70 and 75.22 %" in told
