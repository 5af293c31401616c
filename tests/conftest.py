"""What every test shares: no example of hypothesis is timed, for a busy machine is no fault."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("leakaudit", deadline=None)
settings.load_profile("leakaudit")
