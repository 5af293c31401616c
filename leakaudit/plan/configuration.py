"""The configuration of an audit: read from TOML, validated whole before anything runs."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from leakaudit.cohorts.groups import GroupSettings
from leakaudit.errors import ConfigurationError, UnknownNameError
from leakaudit.plan.overrides import change, substituted
from leakaudit.plan.paths import absolute
from leakaudit.plan.sweep import Sweep
from leakaudit.plan.tables import DefenseStack, OwnLabel, Section, Use
from leakaudit.plugins import validated
from leakaudit.record import Asset, Governance, Region
from leakaudit.split.spec import SPLIT_U_NET, SplitSpec
from leakaudit.statistics.verdict import PATIENT_THRESHOLD
from leakaudit.threat.knowledge import PRESETS, Adversary
from leakaudit.trace.recording import RecordingSettings
from leakaudit.training.settings import TrainingSettings

UNDEFENDED = "none"
_OWN_LABEL = "give one of them a `label` or `name` of its own"


class AttackUse(Use):
    """An attack with its settings, and who mounts it."""

    label: OwnLabel = ""
    adversaries: tuple[str, ...] | None = Field(
        default=None, description="who mounts it; unset: every adversary"
    )

    @property
    def title(self) -> str:
        """Its label, or its name."""
        return self.label or self.use


class EngineSettings(Section):
    """Where cells run."""

    # Bounds: a mistyped number must not start processes until the machine stands still.
    workers: PositiveInt = Field(default=2, le=1024, description="processes of the local engine")
    threads: PositiveInt = Field(default=1, le=1024, description="torch threads per process")
    keep_traces: bool = Field(
        default=True,
        description="false: what a training recorded is removed once its attacks are done; an "
        "attack that is added later trains again",
    )


class Judgement(Section):
    """What counts as a leak, and how much is reported."""

    threshold: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.1, description="X of `none shown above X`: the advantage that must be excluded"
    )
    patient_threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=PATIENT_THRESHOLD,
        description="advantage that must be excluded for every single patient, in images: one who "
        "surely has more is a leak, whatever the mean",
    )
    least_dice: Annotated[float, Field(ge=0.0, lt=1.0)] | None = Field(
        default=None,
        description="Dice of the first region below which a network is of no use: such settings "
        "are never recommended, and a search does not look for stronger ones; unset: no such floor",
    )
    lpips: Literal["auto", "off"] = Field(
        default="auto", description="auto: measured where its backbone is found"
    )
    lpips_weights: str | None = Field(default=None, description="file or folder of the backbone")
    dependence: bool = Field(default=True, description="measure mutual-information proxies")


class Target(Section):
    """What a setting must keep to: a bound on somebody's advantage over the blind baseline."""

    asset: Asset = Field(default="images", description="what is to be kept from the adversary")
    max: float = Field(ge=0.0, lt=1.0, description="the advantage that must surely not be exceeded")
    adversary: str | None = Field(
        default=None, description="whom it speaks of; unset: everyone whose attacks went for it"
    )
    victim: str | None = Field(default=None, description="whose asset; unset: everybody's")
    metric: str | None = Field(
        default=None, description="what the advantage is read from; unset: what verdicts are"
    )
    region: Region | None = Field(
        default=None, description="where the metric is measured; unset: as verdicts, or whole"
    )


class AuditConfiguration(Section):
    """Everything that determines an audit."""

    title: str = Field(default="Leakage audit", max_length=20_000)
    seeds: tuple[Annotated[int, Field(ge=0, lt=1 << 62)], ...] = Field(
        default=(0, 1, 2, 3, 4),
        min_length=1,
        description="of the trainings; every one is trained, recorded and attacked anew",
    )
    attack_repeats: PositiveInt = Field(
        default=1,
        le=100,
        description="times every attack is mounted on each training, with randomness of its own; "
        "their mean is the training's value: no substitute for seeds",
    )
    governance: Governance = Field(
        default=Governance(), description="what the controllers state: printed, never judged"
    )
    cohort: Use
    groups: GroupSettings = GroupSettings()
    victims: PositiveInt | None = Field(
        default=None, description="attack at most this many training patients; unset: all"
    )
    split: SplitSpec
    model: Use = Field(
        default=Use(use=SPLIT_U_NET),
        description="the network that is split, by the name of its plug-in",
    )
    training: TrainingSettings = TrainingSettings()
    recording: RecordingSettings = RecordingSettings()
    adversaries: tuple[Adversary, ...] = Field(min_length=1)
    attacks: tuple[AttackUse, ...] = Field(min_length=1)
    defenses: tuple[DefenseStack, ...] = (DefenseStack(label=UNDEFENDED),)
    sweep: tuple[Sweep, ...] = Field(
        default=(), description="defenses with ranges; each comes to several settings"
    )
    targets: tuple[Target, ...] = Field(
        default=(),
        description="what must be kept to; unset: judgement.threshold, for all that is attacked",
    )
    policy: str | None = Field(
        default=None,
        description="a policy file whose budgets and utility floors are the targets, as "
        "`leakaudit check` judges them; unset: `targets`",
    )
    judgement: Judgement = Judgement()
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="before")
    @classmethod
    def _presets(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and isinstance(given.get("adversaries"), list | tuple):
            given = dict(given)
            given["adversaries"] = [_expanded(entry) for entry in given["adversaries"]]
        return given

    @model_validator(mode="before")
    @classmethod
    def _model(cls, given: Any) -> Any:
        """The split carries its model to wherever networks are built."""
        if (
            isinstance(given, Mapping)
            and "model" in given
            and isinstance(given.get("split"), Mapping)
        ):
            given = {**given, "split": {**given["split"], "model": given["model"]}}
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _distinct("seeds", [str(seed) for seed in self.seeds], "name each seed once")
        _distinct("adversaries", [adversary.name for adversary in self.adversaries])
        _distinct("attacks", [attack.title for attack in self.attacks])
        _distinct(
            "defenses",
            [
                each.label
                for each in (*self.defenses, *(s for sweep in self.sweep for s in sweep.stacks))
            ],
        )
        known = {adversary.name for adversary in self.adversaries}
        for attack in self.attacks:
            for name in attack.adversaries or ():
                if name not in known:
                    raise UnknownNameError.of(f"adversary of {attack.title}", name, known)
        parties = {*self.split.party_names, "server"}
        for adversary in self.adversaries:
            for member in adversary.members:
                if member not in parties:
                    raise UnknownNameError.of(f"member of {adversary.name}", member, parties)
        for target in self.targets:
            if target.adversary is not None and target.adversary not in known:
                raise UnknownNameError.of("adversary of a target", target.adversary, known)
            if target.victim is not None and target.victim not in parties:
                raise UnknownNameError.of("victim of a target", target.victim, parties)
        if self.policy is not None and self.targets:
            raise ConfigurationError(
                "targets come from [[targets]] or from a policy, not from both",
                found=f"policy = {self.policy!r} and {len(self.targets)} of [[targets]]",
                remedy="take one of them out",
            )
        if self.split.model != self.model:
            raise ConfigurationError(
                "the network is named in the table [model]",
                found="split.model",
                remedy="move it there",
            )
        measured = [name for name in ("cuts", "head_shape", "mixes") if getattr(self.split, name)]
        if measured:
            raise ConfigurationError(
                "what crosses is measured, never written",
                found=", ".join(f"split.{name}" for name in measured),
                remedy="take it out; model.cut_after says where the network is cut",
            )
        self.recording.chosen(self.training.epochs)
        if not any(not defense.stack for defense in self.defenses):
            raise ConfigurationError(
                "an audit needs the undefended split: it is the positive control",
                found=", ".join(defense.label for defense in self.defenses),
                remedy='add a [[defenses]] table with label = "none" and no stack',
            )
        return self

    @property
    def swept(self) -> AuditConfiguration:
        """The same with every setting of its sweeps, those of searches included, listed."""
        found = (stack for sweep in self.sweep for stack in sweep.stacks)
        return self.model_copy(update={"defenses": (*self.defenses, *found)})

    @property
    def undefended(self) -> str:
        """Label of the setting without defenses."""
        return next((each.label for each in self.defenses if not each.stack), UNDEFENDED)


def read_configuration(
    path: Path, overrides: Mapping[str, Any] | None = None
) -> tuple[AuditConfiguration, dict[str, Any]]:
    """Read and validate a configuration file.

    ``${NAME}`` in a string is replaced by the environment variable of that name. A relative
    ``cohort.path`` or ``policy`` is taken from the folder of the file.

    Args:
        path: TOML file.
        overrides: dotted key to value, such as ``{"cohort.path": "/data"}``.

    Returns:
        The configuration, and the file's own content as given.

    Raises:
        ConfigurationError: not there, not TOML, or a value breaks a rule.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigurationError(
            "the configuration must be a TOML file",
            found=str(path),
            remedy="`leakaudit init DATA_DIR` writes one to start from",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ConfigurationError(
            f"{path} must be valid TOML", found=str(problem), remedy="mend the line it names"
        ) from None
    content = copy.deepcopy(given)
    for key, value in (overrides or {}).items():
        change(content, key, value)
    # After the overrides: one that replaces a variable must not need it set.
    content = substituted(content)
    cohort = content.get("cohort")
    for table, key in ((cohort, "path"), (cohort, "pseudonym_key_file"), (content, "policy")):
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = absolute(table[key], path.parent, key)
    return validated(AuditConfiguration, content, what="configuration"), given


def _expanded(entry: Any) -> Any:
    """An adversary written as a preset with changes."""
    if not isinstance(entry, Mapping) or "preset" not in entry:
        return entry
    name = entry["preset"]
    if not isinstance(name, str) or name not in PRESETS:
        raise UnknownNameError.of("adversary preset", str(name), PRESETS)
    changes = {key: value for key, value in entry.items() if key != "preset"}
    return PRESETS[name] | changes


def _distinct(what: str, names: list[str], remedy: str = _OWN_LABEL) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigurationError(
            f"{what} must differ from each other",
            found=f"{repeated[0]} twice",
            remedy=remedy,
        )
