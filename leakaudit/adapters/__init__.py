"""Recorders for training frameworks; each module needs its framework, and only when imported.

NVFlare 2.9: `leakaudit.adapters.nvflare`; Flower 1.42: `leakaudit.adapters.flower`. Those are the
versions known to work.
"""
