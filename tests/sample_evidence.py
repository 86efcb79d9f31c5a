"""A paper of every kind of claim and the evidence for it, made for the tests of reports."""

from separata import Claim, Paper, Reference, evidence
from separata.evidence import Evidence

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
