"""Reports: what people read of evidence on the terminal, and the files that are written."""

import io
import re
from dataclasses import replace

from rich.console import Console

from sample_evidence import PAPER, found
from separata import evidence, markdown, report, words
from separata.evidence import Evidence
from separata.words import Tally


class TestTally:
    def test_verdicts_are_counted_apart(self):
        tally = words.tally([found()])
        assert tally == Tally(all_seeds=1, mean_only=1, direction=1, fails=1, absent=1)
        assert str(tally) == (
            "5 claims: 1 holds in all seeds, 1 holds on the mean only, 1 holds in direction only, 1 does not hold, "
            "1 is not measured"
        )
        assert str(tally + Tally(2)) == (
            "7 claims: 3 hold in all seeds, 1 holds on the mean only, 1 holds in direction only, 1 does not hold, "
            "1 is not measured"
        )

    def test_nothing_is_counted_where_there_is_no_evidence(self):
        assert words.tally([]).counts == (0, 0, 0, 0, 0)

    def test_the_best_evidence_counts(self):
        large = found("gpu", only=("worse",))
        held = tuple(
            replace(one, verdict="holds", support=(3, 3)) if one.id == "worse" else one for one in large.claims
        )
        assert words.tally([replace(large, claims=held), found()]).counts == (2, 1, 1, 0, 1)


def printed(one: Evidence, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    report.terminal(one, console)
    return console.file.getvalue()


class TestTerminal:
    def test_it_fits_80_columns_and_breaks_no_id(self):
        lines = printed(found()).splitlines()
        assert max(map(len, lines)) <= 80
        for claim in PAPER.claims:
            assert sum(claim.id in re.split(r"\s+", line) for line in lines) >= 2, "in its part and in the overview"

    def test_numbers_stand_under_labels_beside_the_paper_s(self):
        lines = [line.split() for line in printed(found()).splitlines()]
        assert ["Ours,", "slow", "mode", "0.720", "±", "0.026", "0.966"] in lines
        assert ["large", "73,477"] in lines
        assert ["squid", "1"] in lines

    def test_every_verdict_is_told_with_its_criterion(self):
        text = " ".join(printed(found()).split())
        for finding in found().claims:
            assert f"{finding.id} {words.verdict(finding)}" in text
            assert f"Criterion: {finding.criterion}" in text
        for told in ("◐ direction only (3/3)", "✓ holds (2/3)", "✗ does not hold (1/3)", "– not measured"):
            assert told in text
        assert "Not measured: There is no squid here." in text
        assert str(words.tally([found()])) in text

    def test_claims_of_several_papers_say_whose_they_are(self):
        assert printed(found()).count("Claimed by: WELL") == 2
        assert "Claimed by" not in printed(replace(found(), references=PAPER.references[:1]))

    def test_what_a_claim_says_is_no_markup(self):
        claims = (replace(found().claims[0], statement="It [bold]shouts[/bold] [/]"),)
        assert "It [bold]shouts[/bold] [/]" in printed(replace(found(), claims=claims))

    def test_smoke_says_that_it_is_no_evidence(self):
        assert "No evidence" in printed(found("smoke")).splitlines()[1]
        assert "No evidence" not in printed(found())

    def test_a_part_of_the_claims_is_shown_without_the_others(self):
        text = printed(found(only=("parameters",)))
        assert "1 claim: 1 holds in all seeds" in text
        assert "squid" not in text


def test_the_files_are_named_as_their_evidence(folder, tmp_path):
    one = found(only=("parameters",))
    report.write(one, folder)
    assert evidence.load(folder / "quick-parameters.json") == one
    assert (folder / "quick-parameters.md").read_text() == markdown.page(one)
    assert "FAST and WELL" in (folder / "quick-parameters.html").read_text()
