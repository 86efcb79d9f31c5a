"""What a paper says, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

PRESETS = {
    "smoke": "at most 20 s on 2 CPU cores; for tests, never evidence",
    "quick": "at most 10 min on 2 CPU cores, with data that is always there",
    "gpu": "at most 10 min on one data-centre GPU, with real data",
    "paper": "the paper's own setting, however long",
}
"""The four scales of every experiment, by what they cost."""


@dataclass(frozen=True)
class Claim:
    """One quantitative or comparative statement of a paper, and when a measurement agrees with it.

    Args:
        id: Short name in lower case with hyphens, unique in the paper.
        statement: The paper's statement, in one sentence.
        metric: What is measured, with its unit.
        paper: The paper's own numbers under the keys that the measurement uses; `None` where a number is not known for
            certain.
        holds: Whether measured numbers, one for each key, agree with the statement. It says what the paper claims, not
            what was found, and takes the means over seeds for the verdict, and each seed's own numbers for the support.
        note: What a reader must know of the measurement: how it differs from the paper's, or why there is none.
    """

    id: str
    statement: str
    metric: str
    paper: Mapping[str, float | None]
    holds: Callable[[Mapping[str, float]], bool]
    note: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper: where it stands, and what it claims.

    Args:
        name: The distribution, folder and command, `snn-continual`.
        title: Title of the paper.
        year: Year of publication.
        claims: Its claims, in the order of the paper's abstract.
        authors: `"Given Family"`, in the paper's order.
        venue: Conference or journal.
        arxiv: arXiv number.
        doi: Digital object identifier.
        module: Import name, where it is not the name with underscores for hyphens.
    """

    name: str
    title: str
    year: int
    claims: tuple[Claim, ...]
    authors: tuple[str, ...] = ()
    venue: str = ""
    arxiv: str = ""
    doi: str = ""
    module: str = ""

    def __post_init__(self) -> None:
        ids = [claim.id for claim in self.claims]
        if len(ids) != len(set(ids)):
            raise ValueError(f"the claims of {self.name} must have different ids, not {ids}")

    @property
    def package(self) -> str:
        """The import name."""
        return self.module or self.name.replace("-", "_")

    @cached_property
    def version(self) -> str:
        """The installed distribution's version."""
        from importlib.metadata import version

        return version(self.name)

    @property
    def url(self) -> str:
        """Where the paper can be read, or an empty string."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""

    def claim(self, claim_id: str) -> Claim:
        """The claim of that id.

        Raises:
            ValueError: if the paper has no such claim; the message lists those it has.
        """
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        raise ValueError(f"{self.name} has no claim '{claim_id}'; its claims: {', '.join(c.id for c in self.claims)}")

    def bibtex(self) -> str:
        """The BibTeX entry of the paper."""
        family = self.authors[0].split()[-1].lower() if self.authors else self.name
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.authors),
            "booktitle": self.venue,
            "year": str(self.year),
            "eprint": self.arxiv,
            "archivePrefix": "arXiv" if self.arxiv else "",
            "doi": self.doi,
        }
        lines = ",\n".join(f"  {key} = {{{value}}}" for key, value in fields.items() if value)
        return f"@inproceedings{{{family}{self.year}{self.package.replace('_', '')},\n{lines}\n}}"
