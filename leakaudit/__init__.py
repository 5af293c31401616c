"""Audit what split learning on medical images leaks, to whom, and what protection costs."""

__version__ = "0.1.0"
