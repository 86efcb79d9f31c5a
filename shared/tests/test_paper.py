"""Papers and claims."""

import pytest

from separata import Claim, Paper
from separata.experiments import Experiment, of


def claim(name: str) -> Claim:
    return Claim(name, "It works", metric="percent", paper={"ours": None}, holds=lambda m: m["ours"] > 0)


def test_claims_of_a_paper_have_different_ids():
    with pytest.raises(ValueError, match="different ids"):
        Paper("p", "P", 2000, (claim("a"), claim("a")))


def test_an_unknown_claim_is_answered_with_those_known():
    with pytest.raises(ValueError, match="'c'; its claims: a, b"):
        Paper("p", "P", 2000, (claim("a"), claim("b"))).claim("c")


@pytest.mark.parametrize(("module", "package"), [("", "two_words"), ("fixer3d", "fixer3d")])
def test_the_import_name_is_the_name_with_underscores_unless_given(module, package):
    assert Paper("two-words", "P", 2000, (), module=module).package == package


def test_bibtex_names_title_authors_and_identifier(oja):
    entry = oja.bibtex()
    assert entry.startswith("@inproceedings{oja1982ojarule,")
    assert "author = {Erkki Oja}" in entry
    assert "doi = {10.1007/BF00275687}" in entry
    assert "eprint" not in entry
    assert entry.count("{") == entry.count("}")


def test_experiments_are_found_in_the_order_of_their_module(oja):
    assert [(one.name, one.claims) for one in of(oja)] == [
        ("leading-direction", ("first-component",)),
        ("norms", ("bounded",)),
    ]


def test_two_experiments_may_not_measure_the_same_claim(oja, monkeypatch):
    import oja_rule.experiments as module

    again = Experiment(lambda config, run: None, ("bounded",), {})
    monkeypatch.setattr(module, "again", again, raising=False)
    with pytest.raises(ValueError, match="'bounded' of oja-rule is measured by more than one"):
        of(oja)


def test_an_experiment_may_not_measure_what_the_paper_does_not_claim(oja, monkeypatch):
    import oja_rule.experiments as module

    monkeypatch.setattr(module, "other", Experiment(lambda config, run: None, ("nothing",), {}), raising=False)
    with pytest.raises(ValueError, match="no claim 'nothing'"):
        of(oja)
