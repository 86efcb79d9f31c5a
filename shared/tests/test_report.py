"""Reports: what people read of evidence on the terminal, as Markdown and on the HTML page."""

import base64
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from separata import Claim, Paper, Reference, evidence, markdown, report, rounding, words
from separata.evidence import Evidence
from separata.words import Tally

LONG = "a-claim-with-the-longest-id-that-anybody-would-think-of-for-it"
NOTE = "What a reader must know, such as $SEPARATA_DATA, `code_with_names`, 3 * 4 * 5 and [this]. " * 6

PAPER = Paper(
    name="two-papers",
    title="Learning <fast> & well",
    year=2024,
    authors=("Ada Lovelace", "Alan Turing", "Grace Hopper"),
    venue="Proceedings",
    arxiv="2401.00001",
    short="FAST",
    field="Continual learning",
    others=(Reference("WELL", "Learning well", 2025, ("Kurt Gödel",), doi="10.1/2"),),
    claims=(
        Claim(
            LONG,
            "It solves 96.6 % of |mazes| with fewer steps",
            metric="share of mazes, and steps over those of the baseline",
            paper={"ours": 0.966, "baseline": None, "n_tasks": 1000},
            labels={"ours": "Ours, slow mode", "baseline": "complete traces"},
            criterion="at least 0.95; direction: more than the baseline",
            holds=lambda m: m["ours"] >= 0.95,
            direction=lambda m: m["ours"] > m["baseline"],
        ),
        Claim(
            "parameters",
            "It has orders of magnitude fewer parameters",
            metric="parameters",
            paper={"small": None, "large": None},
            criterion="a hundredth",
            holds=lambda m: m["large"] >= 100 * m["small"],
            note=NOTE,
        ),
        Claim(
            "better",
            "It is better",
            metric="accuracy",
            paper={"a_b": None, "c": None},
            criterion="by 0.1",
            holds=lambda m: m["a_b"] >= m["c"] + 0.1,
            source="WELL",
        ),
        Claim(
            "worse",
            "It is no worse",
            metric="accuracy",
            paper={"x": None},
            criterion="above 0.9",
            holds=lambda m: m["x"] > 0.9,
            source="WELL",
        ),
        Claim(
            "squid",
            "It works in squid",
            metric="seconds",
            paper={"squid": 1.0, "octopus": None},
            criterion="below 2",
            holds=lambda m: m["squid"] < 2,
            note="There is no squid here.",
        ),
    ),
)

MEASURED = {
    LONG: [{"ours": value, "baseline": 0.3, "n_tasks": 200} for value in (0.7, 0.71, 0.75)],
    "parameters": [{"small": 4, "large": 73477}] * 3,
    "better": [{"a_b": 0.9, "c": 0.2}, {"a_b": 0.9, "c": 0.85}, {"a_b": 0.9, "c": 0.2}],
    "worse": [{"x": 0.1}, {"x": 0.2}, {"x": 0.95}],
}
FIGURES = {LONG: ("quick/steps.svg", "quick/maze.png"), "parameters": ("quick/steps.svg",)}
CAPTION = 'Steps by "method", in a band of one standard deviation.'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


def found(preset: str = "quick", only: tuple[str, ...] = (), seeds: int = 3) -> Evidence:
    findings = tuple(
        evidence.find(
            PAPER,
            claim,
            MEASURED.get(claim.id, [])[:seeds] if not only or claim.id in only else [],
            note=claim.note,
            figures=tuple(name.replace("quick", preset) for name in FIGURES.get(claim.id, ())),
        )
        for claim in PAPER.claims
    )
    return Evidence(
        PAPER.name,
        PAPER.field,
        PAPER.references,
        "1.2",
        preset,
        only,
        "0123456789abcdef",
        "2026-01-02T03:04:05+00:00",
        400.0,
        {"cpu": "AMD", "cores": 2, "gpu": None, "python": "3.11", "torch": "2.13"},
        tuple(range(seeds)),
        {f"{preset}/steps.svg": CAPTION},
        findings,
    )


@pytest.fixture
def folder(tmp_path):
    for preset in ("smoke", "quick", "gpu"):
        (tmp_path / preset).mkdir()
        (tmp_path / preset / "steps.svg").write_text(SVG)
        (tmp_path / preset / "maze.png").write_bytes(b"\x89PNG")
    return tmp_path


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


class Document(HTMLParser):
    """What a page has: ids, links, images, tables, and the text under each heading."""

    EMPTY = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.inside: list[tuple[str, ...]] = []
        self.tables: list[list[list[str]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[key] for key in ("href", "src") if key in values]
        if tag == "img":
            self.images.append(values)
            self.inside.append(tuple(self.open))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def under(self, tag: str) -> str:
        """The text in elements of a tag."""
        return "".join(data for path, data in self.texts if tag in path)

    @property
    def text(self) -> str:
        return self.under("body")


def rendered(text: str) -> Document:
    """Markdown as a reader sees it."""
    return Document(f"<body>{MarkdownIt('commonmark', {'html': True}).enable('table').render(text)}</body>")


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


def test_the_files_are_named_as_their_evidence(folder, tmp_path):
    one = found(only=("parameters",))
    report.write(one, folder)
    assert evidence.load(folder / "quick-parameters.json") == one
    assert (folder / "quick-parameters.md").read_text() == markdown.page(one)
    assert "FAST and WELL" in (folder / "quick-parameters.html").read_text()
