"""NVFlare: Collab calls are recorded by a decorator, tasks by a filter.

Task filters never see Collab calls: of a job whose split-learning exchange is calls, only
:func:`recorded`, under `@collab.publish`, sees the messages, and what it records is what the method
takes and gives. A filter stands where the job's or the site's configuration puts it among the
others. NVFlare 2.9 is known to work.

Only constructor arguments that are JSON travel with a job, so a recorder is built where the code
runs: in `@collab.init` or `@collab.main`, and closed in `@collab.final` or at the end of main.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nvflare.apis.dxo import from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.filter import Filter

from leakaudit.exchange.taps import Crossing
from leakaudit.recording import Job, Recorder, Told, read_sheet, recorded
from leakaudit.recording.calls import as_tensor

__all__ = ["RecordingFilter", "Told", "recorded"]


class RecordingFilter(Filter):
    """A task filter that records arrays of a Shareable, and changes nothing.

    Args:
        folder: of the trace.
        sheet: path of the sample sheet.
        job: the settings of a :class:`leakaudit.recording.Job`.
        party: whose messages pass here.
        activations: names of arrays that the site sends, and their levels.
        gradients: names of arrays that go back to it, and their levels.
        keys: header with what the job calls the rows.
        epoch: header with the epoch of training.
        step: header with the step within it.
        draw: header with the number of an answer, where the site was asked.
    """

    def __init__(
        self,
        folder: str,
        sheet: str,
        job: dict[str, Any],
        party: str,
        activations: dict[str, int] | None = None,
        gradients: dict[str, int] | None = None,
        keys: str = "keys",
        epoch: str = "epoch",
        step: str = "step",
        draw: str = "draw",
    ) -> None:
        super().__init__()
        self._folder, self._sheet, self._job, self._party = folder, sheet, job, party
        self._names: Mapping[bool, Mapping[str, int]] = {
            False: {"features": 0} if activations is None else activations,
            True: {"gradient": 0} if gradients is None else gradients,
        }
        self._keys, self._epoch, self._step, self._draw = keys, epoch, step, draw
        self._recorder: Recorder | None = None
        self._at = -1

    @property
    def recorder(self) -> Recorder:
        """Made when the first message passes, where the job runs."""
        if self._recorder is None:
            job = Job.model_validate(self._job)
            self._recorder = Recorder(self._folder, read_sheet(self._sheet), job)
        return self._recorder

    def handle_event(self, event_type: str, fl_ctx: Any) -> None:
        """Seal the last epoch and close the trace when the run ends."""
        del fl_ctx
        if event_type == EventType.END_RUN and self._recorder is not None:
            self._recorder.finish_epoch(self._at)
            self._recorder.close()

    def process(self, shareable: Any, fl_ctx: Any) -> Any:
        """Look at a Shareable, and pass it on as it is."""
        del fl_ctx
        arrays = from_shareable(shareable).data or {}
        draw = shareable.get_header(self._draw)
        for gradient, names in self._names.items():
            sent = {
                Crossing(self._party, level): as_tensor(arrays[name])
                for name, level in names.items()
                if name in arrays
            }
            if sent:
                epoch = int(shareable.get_header(self._epoch))
                if epoch > self._at >= 0:
                    self.recorder.finish_epoch(self._at)
                self._at = epoch
                self.recorder.keep(
                    sent,
                    shareable.get_header(self._keys),
                    epoch=epoch,
                    step=int(shareable.get_header(self._step)),
                    draw=None if draw is None else int(draw),
                    gradient=gradient,
                )
        return shareable
