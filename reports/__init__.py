"""Renderers of an audit record. Nothing here imports torch."""
