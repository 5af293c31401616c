"""Audit what split learning on medical images leaks, to whom, and what protection costs.

The front door; a name loads what it needs when it is first used:

- An audit from Python: :func:`audit_file`; its record: :func:`open_record`, and
  :meth:`leakaudit.record.Record.to_frame` as a table.
- A plug-in of your own: :class:`Attack` with :class:`View`, :class:`Guess` and :class:`Knowledge`;
  :class:`Defense`; :class:`Metric`; :class:`Model` and :class:`Stage`. :func:`rehearse` gives them
  something to work on, and :mod:`leakaudit.testing` tells whether an audit can rely on them.
- A recorded training: :func:`open_trace`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; importing typing takes longer than all of this

if TYPE_CHECKING:
    from leakaudit import testing
    from leakaudit.audit.from_file import audit_file
    from leakaudit.exchange.defense import Defense
    from leakaudit.metrics.metric import Metric
    from leakaudit.models.model import Model, Stage
    from leakaudit.opening import open_record, open_trace
    from leakaudit.rehearsal import rehearse
    from leakaudit.threat.attack import Attack, Guess
    from leakaudit.threat.knowledge import Knowledge
    from leakaudit.threat.view import View

__version__ = "0.1.0"

__all__ = [
    "Attack",
    "Defense",
    "Guess",
    "Knowledge",
    "Metric",
    "Model",
    "Stage",
    "View",
    "audit_file",
    "open_record",
    "open_trace",
    "rehearse",
    "testing",
]

# Where each name stands; a room by itself has no colon.
_PLACES = {
    "Attack": "threat.attack:Attack",
    "Defense": "exchange.defense:Defense",
    "Guess": "threat.attack:Guess",
    "Knowledge": "threat.knowledge:Knowledge",
    "Metric": "metrics.metric:Metric",
    "Model": "models.model:Model",
    "Stage": "models.model:Stage",
    "View": "threat.view:View",
    "audit_file": "audit.from_file:audit_file",
    "open_record": "opening:open_record",
    "open_trace": "opening:open_trace",
    "rehearse": "rehearsal:rehearse",
    "testing": "testing",
}


def __getattr__(name: str) -> object:
    """Load a name of the front door when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    room, _, member = _PLACES[name].partition(":")
    module = import_module(f"{__name__}.{room}")
    found = getattr(module, member) if member else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """All names, loaded or not."""
    return sorted({*globals(), *__all__})
