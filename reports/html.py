"""The report as one HTML file: no network, readable without JavaScript, under 10 MB."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from leakaudit.record import Record
from leakaudit.record.held import HeldPolicy
from leakaudit.record.report import Report
from leakaudit.whole import write_whole

from ._content import Document, comparison, document
from ._content.blocks import words
from ._content.wording import WORD
from ._figures.palette import DARK, LIGHT, VERDICT_ROLE, screen_css, variables
from ._figures.symbols import verdict_icon


class HtmlReport(Report):
    """One HTML page with everything in it, for reading on screen."""

    file_name: ClassVar[str] = "report.html"

    def render(
        self,
        record: Record,
        folder: Path,
        *,
        before: Record | None = None,
        policy: HeldPolicy | None = None,
    ) -> Path:
        """Write `report.html`."""
        page = _page(document(record, folder, before, policy))
        return write_whole(folder / self.file_name, page)

    def compare(self, before: Record, now: Record, target: Path) -> Path:
        """Write what changed between two audits."""
        return write_whole(target, _page(comparison(before, now)))


def _page(content: Document) -> str:
    css, js = stylesheet(), _text("report.js")
    return _template().render(
        document=content,
        css=css,
        js=js,
        css_hash=source_hash(css),
        js_hash=source_hash(js),
        role=VERDICT_ROLE,
        word=WORD,
        icons={verdict: Markup(verdict_icon(verdict)) for verdict in WORD},
    )


def stylesheet() -> str:
    """The page's only style: colours by role, light and dark; paper is always light."""
    light, dark = variables(LIGHT), variables(DARK)
    return (
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"{screen_css()}{_text('report.css')}"
    )


def source_hash(text: str) -> str:
    """What a content security policy calls an inline style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(name: str) -> str:
    return files(__package__).joinpath("_web", name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # Only text written by this package reaches `trusted`: its style, its script, its drawings,
    # whose labels the SVG writer has escaped.
    environment.filters["trusted"] = Markup
    environment.filters["words"] = words
    environment.filters["base64"] = lambda raw: base64.b64encode(raw).decode()
    return environment.from_string(_text("report.html.j2"))
