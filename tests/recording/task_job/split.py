"""A split of NVFlare tasks at one site, and of auxiliary messages at another."""

from __future__ import annotations

from typing import Any

import numpy as np
from nvflare.apis.dxo import DXO, DataKind
from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.impl.controller import Controller, Task
from nvflare.apis.shareable import Shareable, make_reply

from leakaudit.adapters.nvflare import Layout, configured_filters, recorded_handler
from leakaudit.recording import Job, Recorder, read_sheet

SHAPE = (2, 4, 4)


def shareable(arrays: dict[str, Any], keys: list[str], step: int) -> Shareable:
    made = DXO(DataKind.WEIGHT_DIFF, data=arrays).to_shareable() if arrays else Shareable()
    for name, value in {"keys": keys, "epoch": 1, "step": step}.items():
        made.set_header(name, value)
    return made


def features(keys: list[str], step: int) -> np.ndarray:
    """Of all values between 0 and 1, whatever the image."""
    values = np.linspace(0, 1, len(keys) * 32, dtype=np.float32) + step
    return values.reshape(len(keys), *SHAPE)


class Encoder(Executor):
    """Sends features by tasks, and by auxiliary messages where it was given a folder."""

    def __init__(
        self, folder: str = "", sheet: str = "", job: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.folder, self.sheet, self.job = folder, sheet, job

    def handle_event(self, event_type: str, fl_ctx: Any) -> None:
        if not self.folder:
            return
        if event_type == EventType.START_RUN:
            site = fl_ctx.get_identity_name()
            job = Job.model_validate(
                {**(self.job or {}), "filters": configured_filters(fl_ctx, site)}
            )
            self.recorder = Recorder(self.folder, read_sheet(self.sheet), job)
            handler = recorded_handler(self.answer, self.recorder, Layout(site))
            fl_ctx.get_engine().register_aux_message_handler("split", handler)
        elif event_type == EventType.END_RUN:
            self.recorder.finish_epoch(1)
            self.recorder.close()

    def answer(self, topic: str, request: Any, fl_ctx: Any) -> Any:
        del topic, fl_ctx
        return self.execute("forward", request, None, None)

    def execute(self, task_name: str, given: Any, fl_ctx: Any, abort_signal: Any) -> Any:
        del fl_ctx, abort_signal
        if task_name != "forward":
            return make_reply("OK")
        keys, step = given.get_header("keys"), given.get_header("step")
        return shareable({"features": features(keys, step)}, keys, step)


class Driver(Controller):
    """Drives both sites through one epoch."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__()
        self.keys = keys

    def start_controller(self, fl_ctx: Any) -> None:
        del fl_ctx

    def stop_controller(self, fl_ctx: Any) -> None:
        del fl_ctx

    def process_result_of_unknown_task(self, *args: Any) -> None:
        del args

    def control_flow(self, abort_signal: Any, fl_ctx: Any) -> None:
        engine = fl_ctx.get_engine()
        for step in range(len(self.keys) // 4):
            keys = self.keys[4 * step : 4 * step + 4]
            back = {"gradient": np.full((len(keys), *SHAPE), step, np.float32)}
            for name, arrays in (("forward", {}), ("backward", back)):
                task = Task(name=name, data=shareable(arrays, keys, step), timeout=100)
                self.broadcast_and_wait(
                    task, fl_ctx, targets=["north"], min_responses=1, abort_signal=abort_signal
                )
            for arrays in ({}, back):
                asked = shareable(arrays, keys, step)
                engine.send_aux_request(["south"], "split", asked, 100.0, fl_ctx)
