"""Reports as Markdown, as a reader sees it rendered."""

from dataclasses import replace

from documents import rendered
from sample_evidence import CAPTION, LONG, NOTE, PAPER, found
from separata import evidence, markdown


class TestMarkdown:
    def test_the_summary_has_a_sentence_a_verdict_and_the_seeds(self):
        head, *rows = rendered(markdown.page(found())).tables[0]
        assert head == ["Claim", "Paper", "Verdict", "Seeds"]
        assert rows[0] == [f"{LONG}: {PAPER.claims[0].statement}", "FAST", "◐\xa0direction\xa0only", "3/3"]
        assert [row[1:] for row in rows[1:]] == [
            ["FAST", "✓\xa0holds", "3/3"],
            ["WELL", "✓\xa0holds", "2/3"],
            ["WELL", "✗\xa0does\xa0not\xa0hold", "1/3"],
            ["FAST", "–\xa0not\xa0measured", ""],
        ]

    def test_no_cell_is_long(self):
        cells = [cell for table in rendered(markdown.page(found())).tables for row in table for cell in row]
        assert max(map(len, cells)) < 130

    def test_the_numbers_of_each_claim_stand_under_labels(self):
        _, first, second, *_, last = rendered(markdown.page(found())).tables
        assert first == [
            ["", "Measured", "Paper"],
            ["Ours, slow mode", "0.720 ± 0.026", "0.966"],
            ["complete traces", "0.300", ""],
            ["n tasks", "200", "1,000"],
        ]
        assert second == [["", "Measured"], ["small", "4"], ["large", "73,477"]]
        assert last == [["", "Paper"], ["squid", "1"]]

    def test_each_claim_is_folded_with_metric_criterion_and_note(self):
        page = rendered(markdown.page(found()))
        text = " ".join(page.under("details").split())
        for claim in PAPER.claims:
            assert f"Metric: {claim.metric} Criterion: {claim.criterion}" in text
        assert [part for part in page.under("summary").split("\n") if part]
        assert page.under("summary").count("holds (") == 2

    def test_what_a_claim_says_is_shown_as_it_is(self):
        page = rendered(markdown.page(found()))
        assert " ".join(NOTE.replace("`", "").split()) in " ".join(page.text.split())
        assert "code_with_names" in page.under("code")
        assert page.under("em") == ""
        evil = (replace(found().claims[0], statement="<script>alert(1)</script> *it* | _works_"),)
        page = rendered(markdown.page(replace(found(), claims=evil)))
        assert "script" not in page.tags
        assert "<script>alert(1)</script> *it* | _works_" in page.text

    def test_figures_say_what_is_seen_and_a_shared_one_stands_once(self):
        page = rendered(markdown.page(found()))
        assert [(image["src"], image["alt"]) for image in page.images] == [
            ("quick/steps.svg", CAPTION),
            ("quick/maze.png", PAPER.claims[0].statement),
        ]
        assert f"Figure: that of {LONG}." in page.text

    def test_the_papers_are_linked_at_the_head(self):
        assert [link for link in rendered(markdown.page(found())).links if link.startswith("http")] == [
            "https://arxiv.org/abs/2401.00001",
            "https://doi.org/10.1/2",
        ]

    def test_smoke_says_that_it_is_no_evidence(self):
        text = markdown.page(found("smoke"))
        assert text.index("No evidence") < text.index("| Claim")
        assert "No evidence" not in markdown.page(found())

    def test_evidence_at_several_presets(self):
        pieces = [found("gpu", only=("worse",)), found()]
        page = rendered(markdown.claims(evidence.best(pieces), pieces, "results/"))
        assert page.tables[0][0][-1] == "Preset"
        assert [row[-1] for row in page.tables[0][1:]] == ["quick", "quick", "quick", "gpu", ""]
        assert "preset gpu for worse, seeds 0 to 2, 2 CPU cores, 7 min, version 1.2, commit 0123456789ab" in page.text
        assert "Other measurements: quick: ✗ does not hold (1/3)." in page.text
        assert {image["src"] for image in page.images} == {"results/quick/steps.svg", "results/quick/maze.png"}
