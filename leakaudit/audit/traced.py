"""What an audit takes from a trace in place of its own training: settings, samples, remarks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leakaudit.plan.materials import Materials
from leakaudit.record.governance import Governance
from leakaudit.trace.alignment import check_rows
from leakaudit.trace.description import TraceDescription
from leakaudit.trace.reader import TraceReader
from leakaudit.trace.remarks import remarks
from leakaudit.training.settings import TrainingSettings

_STOOD = {
    "behind it": "which the messages had passed",
    "before it": "which the messages had still to pass: less may have left the site",
    "past it": "which these messages never pass",
}
NOT_STATED = "not stated"
# Of this machine, and of trainings for comparison: no property of the one that was recorded.
_OURS = frozenset({"device", "references"})


def as_recorded(reader: TraceReader, given: Materials) -> Materials:
    """The cohort with those alone under attack who crossed, and what is odd about the trace.

    Raises:
        TraceError: a site's rows are shifted against their ids.
    """
    if not reader.can_be_rebuilt:
        if reader.asked:
            check_rows(reader)
        given = given.crossed_in(reader.steady)
    cohort = replace(given.cohort, warnings=(*given.cohort.warnings, *remarks(reader)))
    return replace(given, cohort=cohort)


def stated(description: TraceDescription) -> dict[str, Any]:
    """What was said of the training, and which settings were not stated."""
    asked = {name: NOT_STATED for name in TrainingSettings.model_fields if name not in _OURS}
    return asked | {"epochs": description.epochs_trained} | description.training


def training_of_trace(description: TraceDescription, ours: TrainingSettings) -> TrainingSettings:
    """The settings that the report counts by: epochs are those of the recorded training."""
    return ours.model_copy(update={"epochs": description.epochs_trained})


def with_filters(said: Governance, description: TraceDescription) -> Governance:
    """What people stated, and where they were silent on filters, what the trace says of them."""
    if said.site_filters or description.filters is None:
        return said
    told = [
        f"{each.site}: {each.name}"
        + (
            f" ({', '.join(f'{k} = {v}' for k, v in each.settings.items())})"
            if each.settings
            else ""
        )
        + f", {_STOOD[each.recorded]}"
        for each in description.filters
    ]
    text = "; ".join(told) or "none was configured"
    return said.model_copy(update={"site_filters": f"as the trace says: {text}"[:20_000]})
