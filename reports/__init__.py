"""Renderers of an audit record. Nothing here imports torch."""

from .html import HtmlReport
from .markdown import MarkdownReport
from .pdf import PdfReport

__all__ = ["HtmlReport", "MarkdownReport", "PdfReport"]
