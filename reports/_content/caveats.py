"""What limits this audit, gravest first: page one prints the first, section 11 all of them."""

from __future__ import annotations

from collections import defaultdict

from leakaudit.record import AttackSummary, Finding, Verdict

from .blocks import Callout, Rich, say
from .evidence_index import Index, target
from .wording import ASSET, count, joined, number

FEW_PATIENTS = 30
"""Below this a 95 % interval of a rate of 0 still reaches above 11 of 100 (Wilson)."""


def caveats(index: Index) -> list[tuple[str, Rich]]:
    """Title and text of every limit, the one that endangers the conclusion most first."""
    record = index.record
    found: list[tuple[str, Rich]] = []
    failed = [control for control in record.controls if not control.passed]
    artefacts = [control for control in failed if control.kind == "shuffled"]
    if artefacts:
        found.append(
            (
                "An attack finds what is not there",
                say(
                    f"{count(len(artefacts), 'control')} on shuffled pairs found patients "
                    f"all the same ({joined(sorted({c.attack for c in artefacts}))}). What "
                    "these attacks find elsewhere may be artefacts."
                ),
            )
        )
    if not record.controls:
        found.append(
            (
                "No control was run",
                say("Without a run whose answer is known, a small number may mean a weak attack."),
            )
        )
    # A metric or a page that is missing endangers no answer.
    lost = [f for f in record.failures if f.stage in ("training", "attack", "control")]
    if lost:
        first = lost[0]
        found.append(
            (
                "Parts of the audit did not finish",
                say(
                    f"{count(len(lost), 'part')} did not finish, the first being the "
                    f"{first.stage} of {first.where} ({first.reason}). What they would have found "
                    "is not known: leaks that are shown stand, silence there does not."
                ),
            )
        )
    invalid = [v for v in record.verdicts if v.verdict == "attack invalid"]
    if invalid:
        found.append(
            (
                "Attacks that gave no usable result",
                say(
                    f"{count(len(invalid), 'answer')} on {_assets(invalid)} "
                    f"{'rests' if len(invalid) == 1 else 'rest'} on an attack "
                    f"({joined(sorted({v.attack or 'none' for v in invalid}))}) that does not work "
                    "here. Where it is silent, nothing is known."
                ),
            )
        )
    patients = len(record.cohort.victims)
    if patients < FEW_PATIENTS:
        found.append(
            (
                "Few patients",
                say(
                    f"Only {count(patients, 'patient')} were attacked. Intervals are wide, and a "
                    "leak that affects one patient in ten could be missed."
                ),
            )
        )
    silent = [control for control in failed if control.kind == "open"]
    if silent:
        found.append(
            (
                "Attacks that find nothing even without a defense",
                say(
                    f"In {count(len(silent), 'place')} an attack "
                    f"({joined(sorted({c.attack for c in silent}))}) does not surely beat the "
                    "blind "
                    "guess on the undefended split. Its silence there says nothing; section 6 "
                    "names them."
                ),
            )
        )
    rising = unconverged(index)
    if rising:
        found.append(
            (
                "Attacks that were still getting better",
                say(
                    f"{count(len(rising), 'effort curve')} had not flattened when the attack "
                    "stopped: more effort may leak more. They are named in section 11."
                ),
            )
        )
    unmounted = [n for a in record.adversaries for n in a.not_mountable]
    if unmounted:
        found.append(
            (
                "Attacks that could not be mounted",
                say(
                    f"{count(len(unmounted), 'attack')} need more than the stated knowledge. An "
                    "actor who knows more than was assumed may learn more."
                ),
            )
        )
    linking = [a.label for a in record.attacks if a.goal == "membership" and _by_messages(a)]
    if linking:
        found.append(
            (
                "Membership read off messages",
                say(
                    f"{joined(linking)} compares the image of a named person with messages that "
                    "were sent for this very image. Its success says that a message can be linked "
                    "to its image, by somebody who has that image already; it says nothing of what "
                    "the trained network remembers of a patient."
                ),
            )
        )
    found.append(
        (
            "Only these attacks",
            say(
                "A result that reads \u201cnot broken by these attacks\u201d speaks of the attacks "
                "of section 6 at the effort of section 7. Stronger attacks may exist."
            ),
        )
    )
    return found


def _by_messages(attack: AttackSummary) -> bool:
    return "activations" in attack.needs


def _assets(verdicts: list[Verdict]) -> str:
    return joined(list(dict.fromkeys(ASSET[verdict.asset] for verdict in verdicts)))


def biggest_caveat(index: Index) -> Callout:
    """The first limit, for page one."""
    title, text = caveats(index)[0]
    return Callout(f"The biggest caveat: {title[0].lower()}{title[1:]}", text, "caution")


def weaknesses(index: Index) -> tuple[Callout, ...]:
    """Choices by which this audit finds less than it could, whatever it found."""
    found = index.record.weaknesses
    if not found:
        return ()
    listed = "; ".join(f"({number}) {each}" for number, each in enumerate(found, start=1))
    return (
        Callout(
            "Where this audit looked less closely than it could: "
            + count(len(found), "weakness", "weaknesses"),
            say(f"{listed}. Silence is to be read with {'it' if len(found) == 1 else 'them'}."),
            "caution",
        ),
    )


def unconverged(index: Index) -> list[str]:
    """Findings on the questions of verdicts whose effort curve still rose, in words."""
    rising: dict[tuple[str, str, str, str], list[Finding]] = defaultdict(list)
    for each in index.record.findings:
        if each.converged is False:
            rising[each.defense, each.adversary, each.victim, each.asset].append(each)
    return [
        f"{verdict.adversary} on {target(verdict.asset, verdict.victim)}, "
        f"{index.title(verdict.defense)}: "
        f"{finding.attack}, {finding.metric} {number(finding.estimate.mean)} at the end"
        for verdict in index.record.verdicts
        for finding in rising[verdict.defense, verdict.adversary, verdict.victim, verdict.asset]
    ]
