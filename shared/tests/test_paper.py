"""Papers and claims."""

from dataclasses import replace

import pytest

from separata import Claim, Paper, Reference, Unmeasured, experiment
from separata.experiments import Experiment, of


def claim(name: str) -> Claim:
    return Claim(
        name, "It works", metric="percent", paper={"ours": None}, criterion="above 0", holds=lambda m: m["ours"] > 0
    )


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


@pytest.fixture
def two_papers() -> Paper:
    second = Reference("Second", "Q", 2001, ("Ann Author", "Bob Writer"), "A Conference", arxiv="2001.00001")
    claims = (claim("a"), replace(claim("b"), source="Second"))
    return Paper("p", "P", 2000, claims, ("Zoe Last", "X Y", "Z W"), short="First", others=(second,))


def test_each_claim_is_of_one_of_the_papers(two_papers):
    assert [two_papers.source(one).short for one in two_papers.claims] == ["First", "Second"]
    assert [one.url for one in two_papers.references] == ["", "https://arxiv.org/abs/2001.00001"]
    assert [one.cited for one in two_papers.references] == [
        "Last et al., P (2000)",
        "Author and Writer, Q (A Conference, 2001)",
    ]
    assert [line for line in two_papers.bibtex().splitlines() if line.startswith("@")] == [
        "@misc{last2000first,",
        "@inproceedings{author2001second,",
    ]


def test_a_claim_of_a_paper_that_is_not_named_is_refused(two_papers):
    with pytest.raises(ValueError, match="'a' is of 'Third', but p implements First, Second"):
        replace(two_papers, claims=(replace(claim("a"), source="Third"),))


def test_labels_are_of_what_is_measured():
    assert replace(claim("a"), paper={"our_own": None}).label("our_own") == "our own"
    assert replace(claim("a"), labels={"ours": "HLOP"}).label("ours") == "HLOP"
    with pytest.raises(ValueError, match="'a' labels theirs, which it does not measure"):
        replace(claim("a"), labels={"theirs": "EWC"})


def test_a_preset_that_is_left_out_has_the_settings_of_the_next_smaller_one():
    absent = Unmeasured("Too long.")
    assert experiment("a", smoke=1)(print).presets == {"smoke": 1, "quick": 1, "gpu": 1, "paper": 1}
    found = experiment("a", smoke=1, quick=absent, gpu=3)(print).presets
    assert found == {"smoke": 1, "quick": absent, "gpu": 3, "paper": 3}


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
