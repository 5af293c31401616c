"""What still leaks under the recommended setting because no target speaks of it."""

from __future__ import annotations

from leakaudit.record import Answer, Record, TargetSummary, Uncovered, Verdict


def with_uncovered(answer: Answer, record: Record) -> Answer:
    """The answer, with every leak that is shown under its setting and that no target covers.

    Meeting every target says nothing of an asset or an actor that nobody set a target for.

    Args:
        answer: its setting is the least defense, or the nearest where none meets all.
        record: whose verdicts and findings are looked at.
    """
    setting = answer.nearest if answer.least is None else answer.least
    shown = [
        verdict
        for verdict in record.verdicts
        if (verdict.defense, verdict.verdict) == (setting, "leak shown")
        and not any(_speaks_of(target, verdict, record) for target in answer.targets)
    ]
    # Of each actor and asset the victim that leaks most, as everywhere in the report.
    worst: dict[tuple[str, str], Verdict] = {}
    for verdict in shown:
        key = (verdict.adversary, verdict.asset)
        if key not in worst or _mean(verdict) > _mean(worst[key]):
            worst[key] = verdict
    return answer.model_copy(
        update={
            "uncovered": tuple(
                Uncovered(
                    adversary=each.adversary, asset=each.asset, victim=each.victim,
                    advantage=each.advantage,
                )
                for each in worst.values()
            )
        }
    )  # fmt: skip


def _speaks_of(target: TargetSummary, verdict: Verdict, record: Record) -> bool:
    """Whether a target bounds this asset of this victim against this actor, by any metric."""
    if target.kind != "leakage" or not (
        target.asset in (None, verdict.asset)
        and target.adversary in (None, verdict.adversary)
        and target.victim in (None, verdict.victim)
    ):
        return False
    # A rule may name a metric and no asset: then it speaks of what the metric was measured on.
    return target.metric is None or any(
        (finding.adversary, finding.victim, finding.asset, finding.metric)
        == (verdict.adversary, verdict.victim, verdict.asset, target.metric)
        for finding in record.findings
    )


def _mean(verdict: Verdict) -> float:
    return float("-inf") if verdict.advantage is None else verdict.advantage.mean
