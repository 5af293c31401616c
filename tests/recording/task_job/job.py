"""python job.py FOLDER samples.json: a configuration of tasks and filters, in the simulator."""

from __future__ import annotations

import sys

from nvflare.app_common.filters.percentile_privacy import PercentilePrivacy
from nvflare.app_common.filters.svt_privacy import SVTPrivacy
from nvflare.job_config.api import FedJob
from nvflare.job_config.defs import FilterType
from split import Driver, Encoder

from leakaudit.adapters.nvflare import RecordingFilter
from leakaudit.recording import read_sheet


def main(folder: str, sheet: str) -> None:
    about = {"parties": {"north": ["T1"], "south": ["FLAIR"]}, "epochs": 2, "run": "monday"}
    keys = [each.called for each in read_sheet(sheet).samples if each.group == "training"]
    job = FedJob(name="tasks", min_clients=2)
    job.to_server(Driver([key for key in keys if isinstance(key, str)]))
    job.to(Encoder(), "north", tasks=["forward", "backward"])
    south = Encoder(f"{folder}/south", sheet, {**about, "recorded_at": ["south"]})
    job.to(south, "south", tasks=["forward", "backward"])

    def recorder() -> RecordingFilter:
        here = {**about, "recorded_at": ["north"]}
        return RecordingFilter(f"{folder}/north", sheet, here, "north")

    result, data = FilterType.TASK_RESULT, FilterType.TASK_DATA
    job.to(
        PercentilePrivacy(percentile=50, gamma=0.75), "north", filter_type=result, tasks=["forward"]
    )
    job.to(recorder(), "north", filter_type=result, tasks=["forward"])
    job.to(SVTPrivacy(), "north", filter_type=result, tasks=["forward"])
    job.to(recorder(), "north", filter_type=data, tasks=["backward"])
    job.to(PercentilePrivacy(percentile=50), "south", filter_type=result, tasks=["forward"])
    job.simulator_run(f"{folder}/workspace", threads=2)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
