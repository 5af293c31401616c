"""What noise is worth: the epsilon of a mechanism, and whether a stated one can be true."""

from leakaudit.accounting.bounds import (
    bits_at_most,
    bits_at_most_pure,
    picked_at_most,
    picked_at_most_pure,
)
from leakaudit.accounting.deployed import FILTERS
from leakaudit.accounting.gaussian import gaussian_epsilon, gaussian_mu
from leakaudit.accounting.laplace import laplace_epsilon, laplace_multiplier
from leakaudit.accounting.mechanism import Mechanism, Neighbouring, read_mechanism
from leakaudit.accounting.one_run import one_run_epsilon
from leakaudit.accounting.refutation import Shown, shown
from leakaudit.accounting.spent import Spent
from leakaudit.accounting.subsampled import subsampled_epsilon
from leakaudit.accounting.worth import Truth, Worth, judged, worth

__all__ = [
    "FILTERS",
    "Mechanism",
    "Neighbouring",
    "Shown",
    "Spent",
    "Truth",
    "Worth",
    "bits_at_most",
    "bits_at_most_pure",
    "gaussian_epsilon",
    "gaussian_mu",
    "judged",
    "laplace_epsilon",
    "laplace_multiplier",
    "one_run_epsilon",
    "picked_at_most",
    "picked_at_most_pure",
    "read_mechanism",
    "shown",
    "subsampled_epsilon",
    "worth",
]
