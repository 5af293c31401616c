"""The policy and the gate: budgets that people set, and an audit held against them."""

from leakaudit.policy.baseline import (
    BASELINE_FILE,
    Baseline,
    baseline_of,
    read_baseline,
    write_baseline,
)
from leakaudit.policy.evaluate import evaluate
from leakaudit.policy.junit import junit
from leakaudit.policy.markdown import markdown
from leakaudit.policy.model import Budget, Policy, Regression, UtilityFloor, Waiver
from leakaudit.policy.printed import printed
from leakaudit.policy.reading import PolicyFile, read_policy
from leakaudit.policy.result import Evaluation, Measured, Result, Status
from leakaudit.policy.sarif import sarif
from leakaudit.policy.selftest import FalseAlarms, false_alarms

__all__ = [
    "BASELINE_FILE",
    "Baseline",
    "Budget",
    "Evaluation",
    "FalseAlarms",
    "Measured",
    "Policy",
    "PolicyFile",
    "Regression",
    "Result",
    "Status",
    "UtilityFloor",
    "Waiver",
    "baseline_of",
    "evaluate",
    "false_alarms",
    "junit",
    "markdown",
    "printed",
    "read_baseline",
    "read_policy",
    "sarif",
    "write_baseline",
]
