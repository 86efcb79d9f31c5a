"""What experiments run: intervals, shares and generators against what is known of them."""

import numpy as np
import pytest

from fixer3d.configs import SceneConfig
from fixer3d.trials import Generation, bound, generate


def test_bounds_hold_the_mean_and_shrink_with_more_values():
    values = np.random.default_rng(0).normal(1, 1, 400)
    low, high = (bound(values.tolist(), upper=upper) for upper in (False, True))
    # The 5 % and 95 % quantiles of a normal mean are 1.645 standard errors away.
    assert low == pytest.approx(values.mean() - 1.645 * values.std() / 20, abs=0.02)
    assert high == pytest.approx(values.mean() + 1.645 * values.std() / 20, abs=0.02)


def test_the_generator_repeats_itself_only_for_the_same_seed():
    found = generate(Generation(SceneConfig(n_objects=(3, 3), n_views=1, image_size=24), n_scenes=2))
    assert (found["repeated"], found["distinct"]) == (1, 1)
    assert found["objects"] <= 3
    assert found["seconds"] > 0
