"""`leakaudit init`: two files to start from, written after a look at the data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from leakaudit.cli.data_sheet import data_sheet
from leakaudit.cli.progress import reading
from leakaudit.cli.terminal import printable, say
from leakaudit.cohorts._disk import DiskSource
from leakaudit.cohorts._labels import UnnamedLabelsError
from leakaudit.cohorts._pseudonyms import key_beside
from leakaudit.cohorts._stack import Survey
from leakaudit.cohorts.detect import Detection, detect
from leakaudit.cohorts.faults import followed
from leakaudit.errors import ConfigurationError, DataError
from leakaudit.plugins import Kind, build
from leakaudit.split import SERVER
from leakaudit.whole import write_whole

AUDIT_FILE = "audit.toml"
POLICY_FILE = "leakage-policy.toml"

# Sources whose files are volumes cut into slices; others keep their own slices.
_VOLUMES = ("bids", "brats", "msd", "table")
# Below this many patients, shares of them would leave a group empty.
_COUNTED_BELOW = 10


def init(
    data: Path,
    out: Path,
    *,
    force: bool,
    exclude: tuple[str, ...] = (),
    skip_incomplete: bool = False,
    trace: Path | None = None,
) -> None:
    """Write the configuration of an audit of this data, and a policy to fill in.

    Args:
        data: folder or file with images.
        out: folder of the two files; made where absent.
        force: overwrite.
        exclude: names below the folder to leave out.
        skip_incomplete: leave out what lacks a modality or labels.
        trace: of a job that trained on this data; None to train here.

    Raises:
        DataError: no layout that leakaudit can read, or more than one.
        TraceError: there is no trace, or it is damaged.
        ConfigurationError: a file is there already.
    """
    for target in (out / AUDIT_FILE, out / POLICY_FILE):
        if target.exists() and not force:
            raise ConfigurationError(
                "init never overwrites a file",
                found=str(target),
                remedy="move it away, write elsewhere with --out DIR, or pass --force",
            )
    with reading() as told, followed(told):
        found, survey = looked_at(data, exclude, skip_incomplete=skip_incomplete, out=out)
    text, reader = audit_file(found), None
    if trace is not None:
        from leakaudit.cli.starting_trace import compare, fitted_to
        from leakaudit.trace.reader import TraceReader

        reader = TraceReader(trace)
        text = fitted_to(text, reader, survey.cohort.patient_ids)
    targets = {
        out / AUDIT_FILE: text,
        out / POLICY_FILE: _template(POLICY_FILE).safe_substitute(parties=_list(found.modalities)),
    }
    out.mkdir(parents=True, exist_ok=True)
    for target, text in targets.items():
        write_whole(target, text)
    patients = "1 patient" if found.patients == 1 else f"{found.patients} patients"
    remarks = (*found.remarks, *survey.cohort.warnings)
    say(
        f"Found {patients}, {found.source} layout, modalities "
        f"{printable(', '.join(found.modalities))}."
    )
    for line in data_sheet(survey):
        say(f"  {printable(line)}")
    for remark in dict.fromkeys(remarks):
        say(f"Note: {printable(remark)}")
    if found.patients == 1:
        say("Note: one patient can be recorded, but no verdict can be given from one.")
    for target in targets:
        say(f"Wrote {printable(target)}")
    if reader is not None:
        compare(out / AUDIT_FILE, reader)
        return
    say(f"Next: edit it, then `leakaudit run {printable(out / AUDIT_FILE)} --out runs/first`")


def looked_at(
    data: Path,
    exclude: tuple[str, ...] = (),
    *,
    skip_incomplete: bool = False,
    out: Path | None = None,
) -> tuple[Detection, Survey]:
    """What the data are, after every file was read as the audit will read it.

    Masks of several classes get one region each where their values say so. Where nothing can be
    written beside the data, the key of the pseudonyms is kept in `out`.

    Raises:
        DataError: no layout fits, or files break rules: all of them in one message.
    """
    found = detect(data, exclude)
    chosen: dict[str, Any] = {"exclude": list(exclude), "skip_incomplete": skip_incomplete}
    if out is not None:
        chosen |= _key_file(Path(found.settings["path"]), out)
    found = replace(found, settings={**found.settings, **chosen, **_sampling(found.source)})
    try:
        survey = _survey(found)
    except UnnamedLabelsError as problem:
        if problem.proposed is None:
            raise
        found = replace(
            found,
            settings={**found.settings, "regions": problem.proposed},
            remarks=(*found.remarks, "each value of the masks became a region: name them"),
        )
        survey = _survey(found)
    return replace(found, patients=len(survey.cohort.patient_ids)), survey


def _key_file(data: Path, out: Path) -> dict[str, str]:
    """Nothing where the key can be kept beside the data; else where it is kept."""
    beside = key_beside(data)
    if beside.exists() or os.access(beside.parent, os.W_OK):
        return {}
    out.mkdir(parents=True, exist_ok=True)
    return {"pseudonym_key_file": str(key_beside(out.absolute()))}


def _survey(found: Detection) -> Survey:
    source = build(Kind.COHORT, found.source, found.settings)
    if not isinstance(source, DiskSource):
        raise TypeError(found.source)
    return source.survey()


def audit_file(found: Detection) -> str:
    """The text of audit.toml: it runs as it stands.

    Raises:
        DataError: no modality was found.
    """
    if not found.modalities:
        raise DataError(
            "an audit needs at least one modality",
            found="none in the data",
            remedy="see `leakaudit explain` and the name of your layout",
        )
    first = found.modalities[0]
    return _template(AUDIT_FILE).substitute(
        cohort=_cohort(found),
        groups=_groups(found.patients),
        parties="\n".join(
            f"    {{ name = {_text(_party(name))}, modalities = [{_text(name)}] }},"
            for name in found.modalities
        ),
        curious=_text(_party(first)),
        source=found.source,
        remarks="".join(f"# Note: {printable(remark)}\n" for remark in found.remarks),
    )


def _party(modality: str) -> str:
    """Each modality starts out at a party of its own name."""
    return f"party {modality}" if modality == SERVER else modality


def _cohort(found: Detection) -> str:
    settings: dict[str, Any] = dict(found.settings)
    settings["path"] = str(Path(settings["path"]).expanduser().absolute())
    settings |= _sampling(found.source)
    return "\n".join(f"{key} = {_value(value)}" for key, value in settings.items())


def _sampling(source: str) -> dict[str, Any]:
    return {"size": 64, "slices_per_patient": 4} if source in _VOLUMES else {"size": 64}


def _groups(patients: int) -> str:
    """Shares, or counts where shares of so few patients would leave a group empty."""
    if patients >= _COUNTED_BELOW:
        shares: Mapping[str, float] = {"training": 0.5, "auxiliary": 0.3, "validation": 0.2}
    else:
        # No verdict can be given from one victim: measuring Dice comes after that.
        validation = int(patients >= 4)
        auxiliary = min(max(round(0.3 * patients), 1), patients - 1)
        shares = {
            "training": patients - auxiliary - validation,
            "auxiliary": auxiliary,
            "validation": validation,
        }
    return "\n".join(f"{name} = {share}" for name, share in shares.items())


def _template(name: str) -> Template:
    return Template(files(__package__).joinpath("_templates", name).read_text(encoding="utf-8"))


def _value(value: Any) -> str:
    """A string, number, list, or table of lists of numbers as TOML."""
    if isinstance(value, Mapping):
        pairs = (f"{_text(name)} = {list(own)}" for name, own in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return _list(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _list(values: list[str] | tuple[str, ...]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _text(value: str) -> str:
    # JSON's strings are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
