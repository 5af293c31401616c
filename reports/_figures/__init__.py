"""Drawings as SVG text: no pixels, no fonts of their own, colours by class name."""
