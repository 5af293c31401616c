"""A trace names its model, and makes nobody run it."""

from pathlib import Path
from typing import Any, Literal

import pytest
from networks_to_cut import cut, split_of

from leakaudit import open_trace
from leakaudit.audit.preflight import check_same_model
from leakaudit.errors import ConfigurationError, TraceError
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plugins import validated
from leakaudit.trace.description import TraceDescription, TracedSample, write_description

TABLE = cut("SegResNet", 2)
CONFIGURATION: dict[str, Any] = {
    "cohort": {"use": "phantom"},
    "split": {"parties": [{"name": "a", "modalities": ["T1"]}]},
    "adversaries": [{"preset": "curious-server"}],
    "attacks": [{"use": "decoder-inversion"}],
}


def described(network: Literal["split-u-net", "own"], model: dict[str, Any]) -> TraceDescription:
    return TraceDescription(
        network=network, split=split_of(model, parties=1), regions=("WT",), space=(16, 16), seed=0,
        cohort_fingerprint="0" * 64, training={}, epochs_trained=1, epochs_recorded=(0,),
        samples=(TracedSample(sample=0, patient="P1"),),
    )  # fmt: skip


@pytest.mark.parametrize("network", ["split-u-net", "own"])
def test_the_auditor_names_the_model(network: Literal["split-u-net", "own"]) -> None:
    plain = AuditConfiguration.model_validate(CONFIGURATION)
    named = AuditConfiguration.model_validate(CONFIGURATION | {"model": TABLE})
    check_same_model(described(network, TABLE), named)
    with pytest.raises(TraceError, match="must name the model"):
        check_same_model(described(network, TABLE), plain)
    code = TABLE | {"network": "subprocess:getoutput"}
    with pytest.raises(TraceError, match="must name the model"):
        check_same_model(described(network, code), named)


def test_opening_a_trace_runs_nothing(tmp_path: Path) -> None:
    write_description(tmp_path, described("split-u-net", TABLE))
    (tmp_path / "shards.jsonl").write_text('{"kind": "epoch", "epoch": 0}\n')
    with pytest.raises(TraceError, match="nobody run the code"):
        open_trace(tmp_path).rebuilt()
    assert open_trace(tmp_path, trusted=True).rebuilt() is not None


@pytest.mark.parametrize(
    "split",
    [
        {"model": TABLE},
        {"head_shape": [1, 2, 2]},
        {"mixes": True},
        {"cuts": [{"name": "x", "shapes": [[1, 2, 2]]}]},
    ],
)
def test_what_is_measured_is_not_written(split: dict[str, Any]) -> None:
    written = CONFIGURATION | {"split": CONFIGURATION["split"] | split}
    with pytest.raises(ConfigurationError):
        validated(AuditConfiguration, written, what="configuration")


def test_a_configuration_as_resolved_reads_back() -> None:
    resolved = AuditConfiguration.model_validate(CONFIGURATION)
    assert AuditConfiguration.model_validate(resolved.model_dump(mode="json")) == resolved
