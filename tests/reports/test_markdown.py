"""The summary for terminals and pull requests."""

from __future__ import annotations

from pathlib import Path

from leakaudit.reports import MarkdownReport
from leakaudit.reports.markdown import escaped

from leakaudit.record import Record


def test_says_what_page_one_says(record: Record, run_folder: Path) -> None:
    text = MarkdownReport().render(record, run_folder).read_text("utf-8")
    assert "### The server (curious server, follows the protocol): \u25b2 leak shown" in text
    assert "\u25cb not broken by these attacks" in text
    assert record.content_sha256 in text
    assert "](" not in text
    assert "data:" not in text


def test_hostile_text_is_only_text(hostile_record: Record, tmp_path: Path) -> None:
    text = MarkdownReport().render(hostile_record, tmp_path).read_text("utf-8")
    assert "<" not in text.replace("<br>", "")
    assert "https://" not in text
    assert "[click](" not in text
    assert "@ref" not in text
    assert len(text.encode()) < 1 << 20
    for line in text.splitlines():
        if line.startswith("|"):
            # A table row keeps its columns whatever a cell holds.
            assert line.endswith("|")


def test_what_means_something_to_markdown_is_escaped() -> None:
    assert escaped("`a` *b* _c_ [d](e) |") == "\\`a\\` \\*b\\* \\_c\\_ \\[d\\](e) \\|"
    assert escaped("<b>&amp;") == "&lt;b&gt;&amp;amp;"
    assert escaped("see #12, www.example.org") == "see \\#12, www&#46;example&#46;org"
    assert escaped("https://x @me") == "https&#58;//x &#64;me"
    assert escaped("# no heading") == "\\# no heading"
    assert escaped("1. no list, 0.85") == "1\\. no list, 0.85"
