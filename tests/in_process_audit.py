"""An audit whose cells run in the test's own process."""

from __future__ import annotations

from pathlib import Path

import torch

from leakaudit.cells.attack_cell import AttackResult, run_attack
from leakaudit.cells.finished import Finished
from leakaudit.cells.training_cell import TRACE_FOLDER, TrainingResult, run_training
from leakaudit.cohorts.groups import split_patients
from leakaudit.judgement.assemble import Frame, findings_of, measured
from leakaudit.plan.cells import CohortChoice
from leakaudit.plan.configuration import AuditConfiguration
from leakaudit.plan.materials import Materials, load_cohort
from leakaudit.plan.plan import AttackId, SourceId, make_plan
from leakaudit.record import Record


class Trial:
    """An audit without its engine: cells run here, one after the other, when asked for."""

    def __init__(self, configuration: AuditConfiguration, folder: Path) -> None:
        torch.set_num_threads(1)
        self.configuration, self.folder = configuration, folder
        cohort = load_cohort(configuration.cohort.use, configuration.cohort.settings)
        self.choice = CohortChoice(
            cohort=configuration.cohort, groups=configuration.groups,
            fingerprint=cohort.fingerprint(),
        )  # fmt: skip
        groups = split_patients(cohort, configuration.groups)
        self.given = Materials(cohort, groups, cohort.masks())
        self.plan = make_plan(configuration, self.choice, self.given, None)
        self.trained: dict[SourceId, TrainingResult] = {}
        self.attacked: dict[AttackId, AttackResult] = {}
        self.folders: dict[AttackId, Path] = {}

    def train(self, source: SourceId) -> Path:
        cell = self.plan.every_training()[source]
        folder = self.plan.folder(self.folder, cell)
        if source not in self.trained:
            folder.mkdir()
            self.trained[source] = run_training(cell, folder, lambda stage, done: None)
        return folder / TRACE_FOLDER

    def attack(self, identity: AttackId) -> AttackResult:
        if identity not in self.attacked:
            trace = self.train(self.plan.source(identity))
            self.folders[identity] = self.folder / f"attack {len(self.attacked)}"
            self.folders[identity].mkdir()
            self.attacked[identity] = run_attack(
                self.plan.attacks[identity], trace, self.folders[identity], lambda stage, done: None
            )
        return self.attacked[identity]

    def record(self) -> Record:
        """Of all cells but the controls."""
        for identity in self.plan.attacks:
            if not identity.shuffled:
                self.attack(identity)
        for training in self.plan.trainings:
            self.train(training)
        honest = {key: self.trained[key] for key in self.plan.trainings}
        frame = Frame(self.configuration, {}, self.given, self.choice.fingerprint, "a test", {})
        done = Finished(honest, self.attacked, self.folders, ())
        return measured(frame, self.configuration, done, findings_of(self.configuration, done))
