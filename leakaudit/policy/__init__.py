"""The policy and the gate: budgets that people set, and an audit held against them."""

from leakaudit.policy.baseline import (
    BASELINE_FILE,
    Baseline,
    baseline_of,
    read_baseline,
    write_baseline,
)
from leakaudit.policy.evaluate import evaluate
from leakaudit.policy.model import Budget, Policy, Regression, UtilityFloor, Waiver
from leakaudit.policy.reading import PolicyFile, read_policy
from leakaudit.policy.result import Evaluation, Measured, Result, Status

__all__ = [
    "BASELINE_FILE",
    "Baseline",
    "Budget",
    "Evaluation",
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
    "read_baseline",
    "read_policy",
    "write_baseline",
]
