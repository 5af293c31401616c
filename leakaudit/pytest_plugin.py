"""pytest plug-in: a team's own tests ask an audit whether its policy is kept.

`pytest --leakaudit-run runs/first --leakage-policy leakage-policy.toml` and a test that takes the
fixture `leakage_audit`. Nothing is imported and nothing happens in test runs that do not use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from leakaudit.policy import Evaluation, Result
    from leakaudit.record import Record


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("leakaudit", "what split learning leaks")
    group.addoption("--leakaudit-run", metavar="DIR", help="run folder of `leakaudit run`")
    group.addoption("--leakage-policy", metavar="FILE", help="the policy to hold it against")
    group.addoption("--leakage-baseline", metavar="FILE", help="what [[regression]] compares with")
    group.addoption(
        "--leakage-allowed-signers", metavar="FILE", help="who may sign, where the policy asks"
    )


class LeakageAudit:
    """An audit held against a policy, for tests to ask.

    Attributes:
        record: the audit.
        evaluation: what holding it against the policy came to.
    """

    def __init__(self, record: Record, evaluation: Evaluation) -> None:
        self.record = record
        self.evaluation = evaluation

    def __getitem__(self, rule: str) -> Result:
        """The result of one rule.

        Raises:
            UnknownNameError: the policy has no rule of that name; the nearest is suggested.
        """
        from leakaudit.errors import UnknownNameError

        found = {result.placed.name: result for result in self.evaluation.results}
        if rule not in found:
            raise UnknownNameError.of("rule of the policy", rule, found)
        return found[rule]

    def check(self, rule: str | None = None) -> None:
        """Fail the test unless the policy, or one rule of it, is kept.

        A rule that could not be judged fails it too; an inconclusive one only where the policy asks
        for conclusive evidence.
        """
        from leakaudit.escaping import printable

        blocking = {"fail", "invalid"} | ({"inconclusive"} if self.evaluation.strict else set())
        results = self.evaluation.results if rule is None else (self[rule],)
        broken = [result for result in results if result.status.value in blocking]
        if broken:
            lines = [self.evaluation.headline]
            for result in broken:
                place = f"{self.evaluation.file.path}:{result.placed.line}"
                lines.append(f"{result.placed.name} ({place}): {result.status.value}")
                lines.append(f"  {result.reason}")
                lines.append(f"  do: {result.remedy}")
            pytest.fail("\n".join(printable(line) for line in lines), pytrace=False)


@pytest.fixture(scope="session")
def leakage_audit(pytestconfig: pytest.Config) -> LeakageAudit:
    """The audit of `--leakaudit-run` held against `--leakage-policy`."""
    run, policy = (
        pytestconfig.getoption("--leakaudit-run"),
        pytestconfig.getoption("--leakage-policy"),
    )
    if not run or not policy:
        # Not skipped: a gate that nobody pointed at an audit must not look green.
        pytest.fail(
            "leakage_audit needs --leakaudit-run DIR and --leakage-policy FILE; write them into "
            "`addopts`, or deselect this test",
            pytrace=False,
        )
    from leakaudit.errors import LeakauditError
    from leakaudit.policy.gate import gate

    baseline, signers = (
        pytestconfig.getoption("--leakage-baseline"),
        pytestconfig.getoption("--leakage-allowed-signers"),
    )
    try:
        record, evaluation = gate(
            Path(run),
            Path(policy),
            baseline=Path(baseline) if baseline else None,
            allowed_signers=Path(signers) if signers else None,
        )
    except LeakauditError as problem:
        pytest.fail(str(problem), pytrace=False)
    return LeakageAudit(record, evaluation)
