"""Record a job as it trains. The job goes on whatever becomes of its recording."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self

import torch
from torch import Tensor, nn

from leakaudit.errors import ConfigurationError, LeakauditError
from leakaudit.exchange.message import Direction, Message
from leakaudit.exchange.taps import Crossing, Crossings, Position, tapped
from leakaudit.recording.job import Job
from leakaudit.recording.questions import Question, questions
from leakaudit.recording.sheet import Key, SampleSheet
from leakaudit.split.spec import SERVER
from leakaudit.trace.description import ConfiguredFilter
from leakaudit.trace.refusals import in_words
from leakaudit.trace.writer import TraceWriter

P = ParamSpec("P")
HERE = ""
"""In a crossing: the one site that the recorder stands at."""
_MESSAGE_SIZE = 8  # of queries, where no message was seen yet


def _harmless(
    step: Callable[Concatenate[Recorder, P], None],
) -> Callable[Concatenate[Recorder, P], None]:
    """A step of recording that fails ends the recording, not the job."""

    @functools.wraps(step)
    def tried(recorder: Recorder, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if recorder.failure is not None:
            return
        try:
            step(recorder, *args, **kwargs)
        except LeakauditError as problem:
            recorder.fail(problem)

    return tried


class Recorder:
    """Writes what a job sends into a trace.

    The order per epoch: :meth:`at` before each batch; what crosses, by :meth:`tapping` a model or
    by :meth:`activation` and :meth:`gradient`; the :meth:`questions`, each :meth:`asking`; then
    :meth:`finish_epoch`.

    Args:
        folder: of the trace; made where absent.
        sheet: says which row is which sample.
        job: says who takes part.
        restart: throw away what an interrupted run left in the folder.
        strict: raise what recording fails of, instead of warning and training on.

    Attributes:
        failure: why recording stopped; None while it goes on.

    Raises:
        TraceError: the folder already holds a trace.
        ConfigurationError: job and sheet do not go together.
        EnvironmentProblemError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path | str,
        sheet: SampleSheet,
        job: Job,
        *,
        restart: bool = False,
        strict: bool = False,
    ) -> None:
        self._sheet, self._strict = sheet, strict
        self._writer = TraceWriter(Path(folder), job.described(sheet), restart=restart)
        self._position = Position()
        self._sites = tuple(job.parties) if job.recorded_at is None else job.recorded_at
        self._largest = 0
        # Frameworks call from the threads of a pool.
        self._lock = threading.RLock()
        self._tapped: list[nn.Module] = []
        self.failure: LeakauditError | None = None

    @_harmless
    def at(self, keys: Iterable[Key] | Tensor, *, epoch: int, step: int | None = None) -> None:
        """Say which training rows the next messages are of.

        Args:
            keys: what the job calls them, as in its sheet.
            epoch: epoch of training, from 0.
            step: step within the epoch; unset: the next one.
        """
        position = self._position
        following = position.step + 1 if position.turn and epoch == position.epoch else 0
        position.at(
            self._sheet.samples_of(keys), epoch=epoch, step=following if step is None else step
        )

    @contextmanager
    def tapping(self, model: nn.Module, crossings: Crossings) -> Iterator[None]:
        """Record the outputs of named submodules; see :func:`leakaudit.exchange.taps.tapped`."""
        with tapped(model, crossings, [self], self._position):
            self._tapped.append(model)
            try:
                yield
            finally:
                self._tapped.remove(model)

    def activation(self, crossing: Crossing, features: Tensor) -> None:
        """Record features that a site sends, for jobs that send them themselves."""
        self._sent(crossing, features, Direction.ACTIVATION)

    def gradient(self, crossing: Crossing, gradient: Tensor) -> None:
        """Record a gradient that goes back to a site."""
        self._sent(crossing, gradient, Direction.GRADIENT)

    @_harmless
    def __call__(self, message: Message) -> None:
        """Record a message; one that passes while the job is asked is an answer."""
        if self._position.asking:
            if message.route.receiver == SERVER:
                self._writer.answer(message)
            return
        self._largest = max(self._largest, len(message.samples))
        self._writer(message)

    def questions(self, epoch: int, *, draws: int = 2) -> Iterator[Question]:
        """What to send through the encoders now, at the end of an epoch; nothing in most epochs.

        Args:
            epoch: epoch of training, from 0.
            draws: times each image is sent: a defense that draws noise is averaged over them.
        """
        if self.failure is None and self._writer.records(epoch):
            yield from questions(self._sheet, epoch, self._largest or _MESSAGE_SIZE, draws)

    @contextmanager
    def asking(self, question: Question) -> Iterator[None]:
        """What passes inside is the answer to a question: nothing is learnt or changed by it.

        Buffers of tapped models and torch's own generator are as before when it ends.
        """
        position, before = self._position, replace(self._position)
        kept = [{n: b.clone() for n, b in model.named_buffers()} for model in self._tapped]
        position.samples, position.epoch = question.samples, question.epoch
        position.step, position.asking = question.draw, True
        position.turn += 1
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=list(devices)):
                # Of its own for every question: the same image asked again is defended anew.
                torch.manual_seed(position.turn)
                yield
        finally:
            position.samples, position.epoch = before.samples, before.epoch
            position.step, position.asking = before.step, before.asking
            with torch.no_grad():
                for model, buffers in zip(self._tapped, kept, strict=True):
                    for name, buffer in model.named_buffers():
                        buffer.copy_(buffers[name])

    @_harmless
    def keep(
        self,
        sent: Mapping[Crossing, Tensor],
        keys: Iterable[Key] | Tensor,
        *,
        epoch: int,
        step: int | None = None,
        draw: int | None = None,
        gradient: bool = False,
    ) -> None:
        """Record what crosses at once, from any thread: rows and their tensors together.

        Args:
            sent: what each tensor stands for.
            keys: what the job calls the rows; of an answer, indices into the cohort, -1 a blank.
            epoch: epoch of training, from 0.
            step: step within the epoch; unset: the next one.
            draw: number of the answer, where the job was asked; unset: it trains.
            gradient: whether it goes back to a site.
        """
        sent = {self._placed(crossing): tensor for crossing, tensor in sent.items()}
        with self._lock:
            if draw is not None:
                rows = torch.as_tensor(keys if isinstance(keys, Tensor) else list(keys))
                question = Question(rows.long(), (), int(draw), epoch)
                with self.asking(question):
                    for crossing, tensor in sent.items():
                        self.activation(crossing, tensor)
                return
            self.at(keys, epoch=epoch, step=step)
            for crossing, tensor in sent.items():
                (self.gradient if gradient else self.activation)(crossing, tensor)

    @_harmless
    def note_filters(self, filters: Sequence[ConfiguredFilter]) -> None:
        """Write into the trace what the framework was found to be configured with."""
        self._writer.note(filters=tuple(filters))

    @_harmless
    def finish_epoch(self, epoch: int) -> None:
        """Seal an epoch: all that crossed in it is there."""
        if self._position.passed_over:
            self._writer.note(counts={"evaluation passes": self._position.passed_over})
        self._writer.finish_epoch(epoch)

    @_harmless
    def close(self) -> None:
        """Write what is left and mark the trace complete."""
        self._writer.close()

    def fail(self, problem: LeakauditError) -> None:
        """Stop recording; what was sealed stays readable, and says why there is no more."""
        self.failure = problem
        # The disk that refused the trace may refuse its description, too.
        with suppress(LeakauditError, OSError):
            self._writer.abandon(in_words(problem))
        if self._strict:
            raise problem
        warnings.warn(f"recording stopped, the job goes on: {problem}", stacklevel=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trail: TracebackType | None,
    ) -> None:
        del problem, trail
        if kind is None:
            self.close()
        elif self.failure is None:
            self._writer.abandon(f"the job ended with {kind.__name__}")

    def _placed(self, crossing: Crossing) -> Crossing:
        """With its site's name, where it was left to the recorder that stands there."""
        if crossing.party != HERE:
            return crossing
        sites = self._sites
        if len(sites) != 1:
            raise ConfigurationError(
                "HERE is the site of a recorder that stands at one site",
                found=f"a recorder of {', '.join(sites)}",
                remedy="give Job(recorded_at=(site,)), or name the site in the Crossing",
            )
        return replace(crossing, party=sites[0])

    @_harmless
    def _sent(self, crossing: Crossing, tensor: Tensor, direction: Direction) -> None:
        position = self._position
        self(
            Message(
                crossing.route(direction), crossing.unfolded(tensor), position.samples,
                position.epoch, position.step,
            )
        )  # fmt: skip
