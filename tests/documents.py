"""Pages as a reader's program sees them, for the tests of reports."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt


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
