"""NVFlare: Collab calls are recorded by a decorator, tasks by a filter, older SplitNN by a handler.

Task filters never see Collab calls: of a job whose split-learning exchange is calls, only
:func:`recorded`, under `@collab.publish`, sees the messages, and what it records is what the method
takes and gives. A filter stands where the job's or the site's configuration puts it among the
others. Auxiliary messages pass no filter either: :func:`recorded_handler` goes around whatever
handles them. NVFlare 2.9 is known to work.

Only constructor arguments that are JSON travel with a job, so a recorder is built where the code
runs: in `@collab.init` or `@collab.main`, and closed in `@collab.final` or at the end of main.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nvflare.apis.dxo import from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.filter import Filter
from torch import Tensor

from leakaudit.adapters.nvflare_filters import configured_filters
from leakaudit.errors import ConfigurationError, LeakauditError
from leakaudit.exchange.taps import Crossing
from leakaudit.recording import Job, Recorder, Told, read_sheet, recorded
from leakaudit.recording.calls import as_tensor

__all__ = [
    "Layout", "RecordingFilter", "Told", "configured_filters", "recorded", "recorded_handler",
]  # fmt: skip

Handler = Callable[[str, Any, Any], Any]


@dataclass(frozen=True)
class Layout:
    """How a job lays out its Shareables.

    Attributes:
        party: whose messages they are.
        activations: names of arrays that the site sends, and their levels.
        gradients: names of arrays that go back to it, and their levels.
        keys: header with what the job calls the rows.
        epoch: header with the epoch of training.
        step: header with the step within it.
        draw: header with the number of an answer, where the site was asked.
    """

    party: str
    activations: Mapping[str, int] = field(default_factory=lambda: {"features": 0})
    gradients: Mapping[str, int] = field(default_factory=lambda: {"gradient": 0})
    keys: str = "keys"
    epoch: str = "epoch"
    step: str = "step"
    draw: str = "draw"

    def arrays(self, shareable: Any, *, gradient: bool) -> dict[str, Tensor]:
        """Those of a Shareable that cross; none where it holds something else."""
        try:
            data = from_shareable(shareable).data or {}
        except ValueError:  # no DXO: a task of another kind
            return {}
        names = self.gradients if gradient else self.activations
        return {name: as_tensor(data[name]) for name in names if name in data}

    def told(self, shareable: Any) -> dict[str, Any]:
        """What its headers say of the rows."""
        headers = (self.keys, self.epoch, self.step, self.draw)
        said = {name: shareable.get_header(name) for name in headers}
        return {name: value for name, value in said.items() if value is not None}


class _Epochs:
    """A recorder that is told of epochs by the messages alone: the next one seals the last."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self._at = recorder, -1

    def show(
        self, layout: Layout, arrays: Mapping[str, Tensor], told: Mapping[str, Any], *,
        gradient: bool,
    ) -> None:  # fmt: skip
        recorder = self.recorder
        if not arrays or recorder.failure is not None:
            return
        lacking = [n for n in (layout.keys, layout.epoch, layout.step) if n not in told]
        if lacking:
            recorder.fail(
                ConfigurationError(
                    "a message must say whose features it holds",
                    found=f"no header {lacking[0]!r}",
                    remedy="put it there, or name the job's own header",
                )
            )
            return
        epoch, draw = int(told[layout.epoch]), told.get(layout.draw)
        if epoch > self._at >= 0:
            recorder.finish_epoch(self._at)
        self._at = epoch
        names = layout.gradients if gradient else layout.activations
        called = {level: name for name, level in layout.activations.items()}
        recorder.keep(
            {
                Crossing(layout.party, names[name], name=called.get(names[name], "")): tensor
                for name, tensor in arrays.items()
            },
            told[layout.keys],
            epoch=epoch,
            step=int(told[layout.step]),
            draw=None if draw is None else int(draw),
            gradient=gradient,
        )

    def end(self) -> None:
        if self.recorder.failure is None:
            if self._at >= 0:
                self.recorder.finish_epoch(self._at)
            self.recorder.close()


class RecordingFilter(Filter):
    """A task filter that records arrays of a Shareable, and changes nothing.

    One of a site's filters sees results, another tasks: those of the same folder write one trace.
    It records what the filters before it let through, and the trace says which stand before it and
    which behind.

    Args:
        folder: of the trace.
        sheet: path of the sample sheet.
        job: the settings of a :class:`leakaudit.recording.Job`.
        party: whose messages pass here.
        activations, gradients, keys, epoch, step, draw: as of a :class:`Layout`.
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
        # NVFlare writes a job's configuration from attributes named as these arguments.
        self.folder, self.sheet, self.job, self.party = folder, sheet, job, party
        self.activations = {"features": 0} if activations is None else activations
        self.gradients = {"gradient": 0} if gradients is None else gradients
        self.keys, self.epoch, self.step, self.draw = keys, epoch, step, draw
        self._stopped = False

    def add_to_fed_job(self, job: Any, ctx: Any, **kwargs: Any) -> None:
        """As any filter; a copy of parts of leakaudit in the job would hide the whole."""
        job.set_app_packages(list(dict.fromkeys((*job.job.app_packages, "leakaudit"))))
        super().add_to_fed_job(job, ctx, **kwargs)

    def handle_event(self, event_type: str, fl_ctx: Any) -> None:
        """Seal the last epoch and close the trace when the run ends."""
        if event_type == EventType.END_RUN:
            shared = fl_ctx.get_prop(self._place)
            if shared is not None:
                shared.end()

    def process(self, shareable: Any, fl_ctx: Any) -> Any:
        """Look at a Shareable, and pass it on as it is."""
        if not self._stopped:
            try:
                self._look(shareable, fl_ctx)
            except (LeakauditError, OSError, ValueError, TypeError) as problem:
                self._stopped = True
                warnings.warn(f"recording stopped, the job goes on: {problem}", stacklevel=2)
        return shareable

    @property
    def _place(self) -> str:
        return f"leakaudit {self.folder}"

    def _look(self, shareable: Any, fl_ctx: Any) -> None:
        layout = Layout(
            self.party, self.activations, self.gradients, self.keys, self.epoch, self.step,
            self.draw,
        )  # fmt: skip
        for gradient in (False, True):
            arrays = layout.arrays(shareable, gradient=gradient)
            if arrays:
                told = layout.told(shareable)
                self._shared(fl_ctx).show(layout, arrays, told, gradient=gradient)

    def _shared(self, fl_ctx: Any) -> _Epochs:
        """Made when the first message passes, where the job runs, and kept as long as it runs."""
        shared = fl_ctx.get_prop(self._place)
        if not isinstance(shared, _Epochs):
            job = Job.model_validate(self.job)
            shared = _Epochs(Recorder(self.folder, read_sheet(self.sheet), job))
            found = configured_filters(fl_ctx, self.party, self)
            if found is not None and job.filters is None:
                shared.recorder.note_filters(found)
            fl_ctx.set_prop(self._place, shared, private=True, sticky=True)
        return shared


def recorded_handler(handle: Handler, recorder: Recorder, layout: Layout) -> Handler:
    """A handler of auxiliary messages that records what comes and what is replied.

    `engine.register_aux_message_handler(topic, recorded_handler(handle, recorder, layout))`. A
    reply without headers is about the rows of its request. A message of the next epoch seals the
    one before; the last is the job's to end
    (:meth:`~leakaudit.recording.Recorder.finish_epoch`, then `close`).

    Args:
        handle: the job's own.
        recorder: to show messages to.
        layout: of its messages.
    """
    epochs = _Epochs(recorder)

    def handled(topic: str, request: Any, fl_ctx: Any) -> Any:
        told = layout.told(request)
        kinds = (False, True)
        came = {gradient: layout.arrays(request, gradient=gradient) for gradient in kinds}
        for gradient, arrays in came.items():
            epochs.show(layout, arrays, told, gradient=gradient)
        reply = handle(topic, request, fl_ctx)
        for gradient in kinds:
            arrays = layout.arrays(reply, gradient=gradient)
            epochs.show(layout, arrays, told | layout.told(reply), gradient=gradient)
        return reply

    return handled
