"""A report as plain data: what every renderer prints, and the only thing it prints.

HTML, PDF and markdown are three ways to draw the same :class:`Document`, so they cannot say
different numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from leakaudit.record import VerdictValue

Style = Literal["plain", "strong", "muted", "code", "range"]
Tone = Literal["note", "caution"]


@dataclass(frozen=True)
class Span:
    """A run of text in one style."""

    text: str
    style: Style = "plain"


Rich = tuple[Span, ...]


def say(*parts: str | Span) -> Rich:
    """Text in several styles: strings are plain."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def strong(text: str) -> Span:
    """The few words a skimming reader must not miss."""
    return Span(text, "strong")


def code(text: str) -> Span:
    """A name, command or value exactly as the configuration writes it."""
    return Span(text, "code")


def muted(text: str) -> Span:
    """Said, but not the point."""
    return Span(text, "muted")


def ranged(text: str) -> Span:
    """An interval beside its number: a reader may hide them all on screen."""
    return Span(text, "range")


def words(text: Rich) -> str:
    """The text without its styles."""
    return "".join(span.text for span in text)


@dataclass(frozen=True)
class Paragraph:
    """One paragraph; `lead` is set larger."""

    kind: ClassVar[str] = "paragraph"
    text: Rich
    lead: bool = False


@dataclass(frozen=True)
class Subheading:
    """A heading inside a section."""

    kind: ClassVar[str] = "subheading"
    text: str
    key: str


@dataclass(frozen=True)
class Items:
    """A list, numbered where the order means something."""

    kind: ClassVar[str] = "items"
    entries: tuple[Rich, ...]
    ordered: bool = False


@dataclass(frozen=True)
class Callout:
    """A box beside the argument: a note, or something that limits what was said."""

    kind: ClassVar[str] = "callout"
    title: str
    text: Rich
    tone: Tone = "note"


@dataclass(frozen=True)
class Terms:
    """Names and what stands beside them."""

    kind: ClassVar[str] = "terms"
    entries: tuple[tuple[str, Rich], ...]


@dataclass(frozen=True)
class Blanks:
    """Lines for people to fill: judgement is never printed by the tool."""

    kind: ClassVar[str] = "blanks"
    entries: tuple[tuple[str, int], ...]
    """Label and number of empty lines."""
    choices: tuple[str, ...] = ()
    question: str = "Decision"
    """What is chosen among the choices."""


@dataclass(frozen=True)
class Form:
    """A table of empty cells to write in, with its headings."""

    kind: ClassVar[str] = "form"
    title: str
    columns: tuple[Column, ...]
    rows: int


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what is printed.
        order: what the column sorts by; the text where None.
        verdict: a verdict drawn as symbol, word and colour before the text.
    """

    text: Rich
    order: float | None = None
    verdict: VerdictValue | None = None


@dataclass(frozen=True)
class Column:
    """A table column; numbers are set right."""

    title: str
    numeric: bool = False
    weight: float = 1.0
    """Relative width on paper."""
    facet: bool = False
    """Offered on screen as a list to choose one value from."""


@dataclass(frozen=True)
class Table:
    """A table with a caption. `screen_only` tables are too long for paper."""

    kind: ClassVar[str] = "table"
    key: str
    caption: Rich
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: Rich = ()
    sortable: bool = False
    filterable: bool = False
    screen_only: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing: SVG whose colours are class names, its caption and its text alternative."""

    kind: ClassVar[str] = "figure"
    key: str
    caption: Rich
    svg: str
    alternative: str
    title: str = ""


@dataclass(frozen=True)
class Panels:
    """Small drawings side by side under one caption."""

    kind: ClassVar[str] = "panels"
    key: str
    caption: Rich
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Shot:
    """One picture of the gallery: PNG bytes, checked against the record's hash."""

    png: bytes
    alternative: str
    label: str
    value: str


@dataclass(frozen=True)
class Gallery:
    """Rows of pictures chosen by rule. `screen_only` ones are left out on paper."""

    kind: ClassVar[str] = "gallery"
    key: str
    caption: Rich
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Shot | None, ...]], ...]
    screen_only: bool = False


@dataclass(frozen=True)
class Card:
    """Everything about one actor, in one frame."""

    kind: ClassVar[str] = "card"
    title: str
    verdict: VerdictValue | None
    blocks: tuple[Block, ...]
    actor: str = ""
    """Whom it speaks of: a reader may ask for one actor on screen."""


@dataclass(frozen=True)
class Group:
    """Blocks that speak of one actor."""

    kind: ClassVar[str] = "group"
    actor: str
    blocks: tuple[Block, ...]


Block = (
    Paragraph
    | Subheading
    | Items
    | Callout
    | Terms
    | Blanks
    | Form
    | Table
    | Figure
    | Panels
    | Gallery
    | Card
    | Group
)


@dataclass(frozen=True)
class Section:
    """A numbered section, or a lettered appendix."""

    number: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def key(self) -> str:
        """The anchor."""
        return f"section-{self.number.lower()}"


@dataclass(frozen=True)
class Document:
    """The whole report."""

    title: str
    audit_id: str
    content_sha256: str
    created: str
    subtitle: str
    sections: tuple[Section, ...] = field(default=())
    kicker: str = "Leakage audit of a split"

    def actors(self) -> tuple[str, ...]:
        """Whom parts of the report speak of, in the order of their cards."""
        found = [b.actor for b in self.blocks() if isinstance(b, Card | Group) and b.actor]
        return tuple(dict.fromkeys(found))

    def blocks(self) -> Sequence[Block]:
        """Every block of every section, cards and groups opened."""
        found: list[Block] = []
        queue = [block for section in self.sections for block in section.blocks]
        while queue:
            block = queue.pop(0)
            found.append(block)
            if isinstance(block, Card | Group):
                queue[:0] = block.blocks
        return found
