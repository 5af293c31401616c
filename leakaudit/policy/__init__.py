"""The policy and the gate: budgets that people set, and an audit held against them."""

from leakaudit.policy.baseline import (
    BASELINE_FILE,
    Baseline,
    baseline_of,
    read_baseline,
    write_baseline,
)
from leakaudit.policy.evaluate import evaluate, stands
from leakaudit.policy.evidence import Evidence
from leakaudit.policy.junit import junit
from leakaudit.policy.markdown import markdown
from leakaudit.policy.model import Budget, Policy, Regression, UtilityFloor, Waiver
from leakaudit.policy.names import Known, check_names
from leakaudit.policy.printed import printed
from leakaudit.policy.reading import Placed, PolicyFile, read_policy
from leakaudit.policy.result import Evaluation, Measured, Result, Status
from leakaudit.policy.sarif import sarif
from leakaudit.policy.selftest import FalseAlarms, false_alarms

__all__ = [
    "BASELINE_FILE",
    "Baseline",
    "Budget",
    "Evaluation",
    "Evidence",
    "FalseAlarms",
    "Known",
    "Measured",
    "Placed",
    "Policy",
    "PolicyFile",
    "Regression",
    "Result",
    "Status",
    "UtilityFloor",
    "Waiver",
    "baseline_of",
    "check_names",
    "evaluate",
    "false_alarms",
    "junit",
    "markdown",
    "printed",
    "read_baseline",
    "read_policy",
    "sarif",
    "stands",
    "write_baseline",
]
