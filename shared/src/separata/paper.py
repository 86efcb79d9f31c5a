"""What a paper says, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

PRESETS = {
    "smoke": "at most 20 s on 2 CPU cores; for tests, never evidence",
    "quick": "at most 10 min on 2 CPU cores, with data that is always there",
    "gpu": "at most 10 min on one data-centre GPU, with real data",
    "paper": "the paper's own setting, however long",
}
"""The four scales of every experiment, by what they cost."""

Predicate = Callable[[Mapping[str, float]], bool]
"""Whether numbers, one for each key of a claim, agree with it; false where a number is not a number."""


@dataclass(frozen=True)
class Claim:
    """One quantitative or comparative statement of a paper, and when a measurement agrees with it.

    The predicates say what the paper claims, not what was found, and are written before the first run. They take the
    means over seeds for the verdict, and each seed's own numbers for its support.

    Args:
        id: Short name in lower case with hyphens, unique in the paper.
        statement: The paper's statement, in one sentence.
        metric: What is measured, with its unit.
        paper: The paper's own numbers under the keys that the measurement uses; `None` where a number is not known for
            certain.
        holds: Whether measured numbers bear out the statement, with the numbers that it quotes, within the tolerance
            that `criterion` names, or better.
        criterion: The predicates in words, as a phrase: "at most 0.6 of the steps; direction: fewer steps".
        direction: Where the statement quotes a number: whether the comparison in it holds, whatever the number.
        labels: Readable names of the keys, for tables and figures; a key that has none is shown with spaces for its
            underscores.
        note: What a reader must know of the measurement: how it differs from the paper's, or why there is none.
        source: Whose claim it is, where a package implements several papers: `short` of the paper or of one of
            `Paper.others`.

    Raises:
        ValueError: if `labels` names a key that is not measured.
    """

    id: str
    statement: str
    metric: str
    paper: Mapping[str, float | None]
    holds: Predicate
    criterion: str
    direction: Predicate | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if unknown := self.labels.keys() - self.paper.keys():
            raise ValueError(f"the claim '{self.id}' labels {', '.join(sorted(unknown))}, which it does not measure")

    def label(self, key: str) -> str:
        """The readable name of a key."""
        return self.labels.get(key, key.replace("_", " "))


@dataclass(frozen=True)
class Reference:
    """Where a paper stands.

    Args:
        short: The usual name of its method, `GenBaB`.
        title: Title of the paper.
        year: Year of publication.
        authors: `"Given Family"`, in the paper's order.
        venue: Conference or journal.
        arxiv: arXiv number.
        doi: Digital object identifier.
    """

    short: str
    title: str
    year: int
    authors: tuple[str, ...] = ()
    venue: str = ""
    arxiv: str = ""
    doi: str = ""

    @property
    def url(self) -> str:
        """Where the paper can be read, or an empty string."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""

    @property
    def cited(self) -> str:
        """The reference in one line: `Shi et al., title (venue, 2025)`."""
        families = [author.split()[-1] for author in self.authors]
        who = f"{families[0]} et al." if len(families) > 2 else " and ".join(families)
        where = f"{self.venue}, {self.year}" if self.venue else str(self.year)
        return f"{who}, {self.title} ({where})" if who else f"{self.title} ({where})"

    def bibtex(self) -> str:
        """The BibTeX entry."""
        first = self.authors[0].split()[-1] if self.authors else ""
        key = "".join(letter for letter in f"{first}{self.year}{self.short}".lower() if letter.isalnum())
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.authors),
            "booktitle": self.venue,
            "year": str(self.year),
            "eprint": self.arxiv,
            "archivePrefix": "arXiv" if self.arxiv else "",
            "doi": self.doi,
        }
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@{'inproceedings' if self.venue else 'misc'}{{{key},\n{lines}\n}}"


@dataclass(frozen=True)
class Paper:
    """A paper, or several that a package implements together: where they stand, and what they claim.

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
        short: The usual name of the method, `HLOP`; `name` if not given.
        field: The field of research under which the package is listed, `Continual learning`.
        others: Further papers that the package implements.

    Raises:
        ValueError: if two claims have the same id, or one is of a paper that is not among those named.
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
    short: str = ""
    field: str = "Other"
    others: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        ids = [claim.id for claim in self.claims]
        if len(ids) != len(set(ids)):
            raise ValueError(f"the claims of {self.name} must have different ids, not {ids}")
        sources = {"", *(reference.short for reference in self.references)}
        for claim in self.claims:
            if claim.source not in sources:
                known = ", ".join(reference.short for reference in self.references)
                raise ValueError(f"the claim '{claim.id}' is of '{claim.source}', but {self.name} implements {known}")

    @property
    def references(self) -> tuple[Reference, ...]:
        """The paper and the others that the package implements."""
        own = Reference(self.short or self.name, self.title, self.year, self.authors, self.venue, self.arxiv, self.doi)
        return (own, *self.others)

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
        return self.references[0].url

    def source(self, claim: Claim) -> Reference:
        """The paper that makes the claim."""
        return next((one for one in self.references if one.short == claim.source), self.references[0])

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
        """The BibTeX entries of the papers."""
        return "\n\n".join(reference.bibtex() for reference in self.references)
