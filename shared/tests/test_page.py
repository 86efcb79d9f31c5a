"""Reports as one page of HTML."""

import base64
import re
from dataclasses import replace

import pytest

from documents import Document
from sample_evidence import CAPTION, PAPER, SVG, found
from separata import evidence, report, words


def page_of(*evidence_and_folder) -> Document:
    page = Document(report.html(list(evidence_and_folder)))
    assert page.open == []
    return page


class TestPage:
    def test_it_is_whole_and_needs_no_other_file(self, folder):
        page = page_of((found(), folder))
        outside = [link for link in page.links if not link.startswith(("#", "data:"))]
        assert outside == ["https://arxiv.org/abs/2401.00001", "https://doi.org/10.1/2"]
        assert not {"script", "link", "iframe", "object"} & page.tags
        assert base64.b64decode(page.images[0]["src"].split(",")[1]).decode() == SVG

    @pytest.mark.parametrize("times", [1, 2, 20])
    def test_every_link_leads_somewhere(self, folder, times):
        copies = [(replace(found(), paper=f"paper-{i // 2}"), folder / str(i)) for i in range(times)]
        for _, place in copies:
            place.symlink_to(folder, target_is_directory=True)
        page = page_of(*copies)
        assert len(page.ids) == len(set(page.ids))
        inner = {link[1:] for link in page.links if link.startswith("#")}
        assert inner
        assert inner <= set(page.ids)

    def test_the_head_names_papers_authors_and_links_before_anything_else(self, folder):
        text = page_of((found(), folder)).text
        places = [text.index(part) for part in ("FAST and WELL", "Learning <fast> & well", "Grace Hopper", "10.1/2")]
        assert places == sorted(places)
        assert places[-1] < text.index("Criterion")

    def test_one_paper_gives_the_title(self, folder):
        page = page_of((replace(found(), references=PAPER.references[:1]), folder))
        assert page.under("h1") == "Learning <fast> & well"

    def test_the_overview_comes_first_and_leads_to_each_claim(self, folder):
        page = page_of((found(), folder))
        head, *rows = page.tables[0]
        assert head == ["Claim", "Paper", "Verdict", "Criterion"]
        assert [row[-1] for row in rows] == [claim.criterion for claim in PAPER.claims]
        assert [row[2] for row in rows] == [words.verdict(finding) for finding in found().claims]
        assert [f"#two-papers-{claim.id}" for claim in PAPER.claims] == page.links[2:7]

    def test_empty_columns_are_left_out(self, folder):
        _, first, second, third, _, last = page_of((found(), folder)).tables
        assert first[0] == ["", "mean", "std", "each seed", "paper"]
        assert first[1] == ["Ours, slow mode", "0.720", "0.026", "0.700\u20020.710\u20020.750", "0.966"]
        assert second == [["", "measured"], ["small", "4"], ["large", "73,477"]]
        assert third[0] == ["", "mean", "std", "each seed"]
        assert last == [["", "paper"], ["squid", "1"]]

    def test_one_seed_has_neither_spread_nor_seeds(self, folder):
        assert page_of((found(seeds=1), folder)).tables[1][0] == ["", "measured", "paper"]

    def test_images_have_alternatives_and_captions_and_stand_once(self, folder):
        page = page_of((found(), folder))
        assert [image["alt"] for image in page.images] == [CAPTION, PAPER.claims[0].statement]
        assert page.under("figcaption") == CAPTION
        assert page.text.count(f"Figure: {CAPTION}") == 1
        assert "#two-papers-a-claim" not in page.links

    def test_what_a_claim_says_cannot_become_markup(self, folder):
        evil = (replace(found().claims[0], statement="<script>alert(1)</script>", note="`<b>`"),)
        page = page_of((replace(found(), claims=evil), folder))
        assert not {"script", "b"} & page.tags
        assert "<script>alert(1)</script>" in page.text
        assert "<b>" in page.under("code")

    def test_smoke_says_that_it_is_no_evidence(self, folder):
        text = page_of((found("smoke"), folder)).text
        assert text.index("No evidence") < text.index("Criterion")
        assert "No evidence" not in page_of((found(), folder)).text

    def test_each_claim_is_shown_at_the_largest_preset_and_smoke_not_beside_evidence(self, folder):
        pieces = [(one, folder) for one in (found("smoke"), found(), found("gpu", only=("worse",)))]
        page = page_of(*pieces)
        assert page.tables[0][0][-1] == "Preset"
        assert [row[-1] for row in page.tables[0][1:]] == ["quick", "quick", "quick", "gpu-worse", "quick"]
        assert "No evidence" not in page.text

    def test_a_part_of_the_claims_is_shown_without_the_others(self, folder):
        page = page_of((found(only=("parameters",)), folder))
        assert len(page.tables[0]) == 2
        assert "squid" not in page.text

    def test_many_papers_have_a_contents_and_their_claims_are_folded(self, folder):
        several = [(replace(found(), paper=f"paper-{i}"), folder) for i in range(3)]
        page = page_of(*several)
        rows = page.tables[0][1:]
        assert [row[2:] for row in rows] == [["1", "1", "1", "1", "1"]] * 3
        assert page.links[:3] == ["#paper-0", "#paper-1", "#paper-2"]
        assert all(path.count("details") == 2 for path in page.inside), "no figure is seen before it is asked for"
        assert page.under("summary").count("at least 0.95; direction: more than the baseline") == 3

    def test_a_page_of_very_many_papers_shows_no_more_than_their_names(self, folder):
        few, many = (report.html([(replace(found(), paper=f"paper-{i}"), folder) for i in range(n)]) for n in (4, 47))
        assert few.count("<details open>") == 4
        assert "<details open>" not in many

    def test_no_verdict_is_told_by_colour_alone(self, folder):
        assert len({words.MARKS[verdict] for verdict in evidence.VERDICTS}) == len(evidence.VERDICTS)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_colours_of_verdicts_are_readable_and_differ(self, folder, scheme):
        light, dark = re.findall(r":root \{([^}]*)\}", report.html([(found(), folder)]))
        colours = dict(re.findall(r"--(\w+): (#\w+)", light if scheme == "light" else dark))
        for name in ("text", "soft", "link", "holds", "direction", "fails", "absent"):
            assert min(contrast(colours[name], colours[ground]) for ground in ("card", "back")) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """The ratio of luminances that the Web Content Accessibility Guidelines define."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))
