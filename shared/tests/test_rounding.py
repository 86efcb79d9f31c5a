"""Numbers as they are shown."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sample_evidence import PAPER, found
from separata import evidence, rounding, words


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "–"),
            (0.0, "0"),
            (0.12345, "0.123"),
            (0.5, "0.500"),
            (-0.0002, "-0.000200"),
            (-0.00002, "-2.00e-05"),
            (99.96, "100"),
            (12345.6, "12,346"),
            (73477, "73,477"),
            (2.5e7, "25,000,000"),
            (3e13, "3.00e+13"),
            (math.nan, "not a number"),
        ],
    )
    def test_counts_are_whole_and_the_rest_has_three_digits(self, value, text):
        assert rounding.number(value) == text

    @given(st.floats(1e-4, 1e5), st.floats(0, 1))
    def test_a_row_has_one_number_of_decimals(self, mean, share):
        write = rounding.three_digits([mean, share * mean])
        texts = [write(mean), write(share * mean)]
        decimals = {len(text.partition(".")[2]) for text in texts if "e" not in text and text != "0"}
        # What would be rounded to zero shows its first digit, and has more.
        assert len(decimals) == 1 or float(texts[1].replace(",", "")) < 0.5 * 10 ** -min(decimals)
        assert float(texts[0].replace(",", "")) == pytest.approx(mean, rel=0.0051)

    def test_the_rows_of_a_claim(self):
        first, second, third, fourth, fifth = found().claims
        ours, baseline, n_tasks = words.rows(first)
        assert (ours.label, ours.measured, ours.paper) == ("Ours, slow mode", "0.720 ± 0.026", "0.966")
        assert ours.seeds == ("0.700", "0.710", "0.750")
        assert (baseline.label, baseline.measured, baseline.seeds) == ("complete traces", "0.300", ())
        assert (n_tasks.measured, n_tasks.paper) == ("200", "1,000")
        assert [row.measured for row in words.rows(second)] == ["4", "73,477"]
        assert [row.label for row in words.rows(third)] == ["a b", "c"]
        assert words.rows(fourth)[0].measured == "0.417 ± 0.465"
        assert [(row.label, row.measured, row.paper) for row in words.rows(fifth)] == [("squid", "", "1")]

    def test_what_is_not_finite_is_said(self):
        (row,) = words.rows(evidence.find(PAPER, PAPER.claims[3], [{"x": math.nan}, {"x": 0.5}]))
        assert (row.mean, row.std, row.seeds) == ("not a number", "", ("not a number", "0.500"))

    def test_one_seed_has_no_spread(self):
        assert all((row.std, row.seeds) == ("", ()) for one in found(seeds=1).claims for row in words.rows(one))

    @pytest.mark.parametrize(("seconds", "text"), [(3.2, "3 s"), (119, "2 min"), (7200, "2.0 h")])
    def test_durations_are_shown_as_a_person_says_them(self, seconds, text):
        assert words.duration(seconds) == text

    @pytest.mark.parametrize(
        ("seeds", "text"), [((7,), "seed 7"), ((100, 101, 102), "seeds 100 to 102"), ((0, 2, 9), "seeds 0, 2, 9")]
    )
    def test_seeds_in_words(self, seeds, text):
        assert words.seeds(replace(found(), seeds=seeds)) == text
