"""The contract tests for anybody's plug-in: what an audit relies on, tried on a tiny split.

They raise :class:`leakaudit.errors.ContractError` with the rule that is broken, so that one line in
a test of your own package is enough:

    >>> from leakaudit.testing import check_defense
    >>> from leakaudit.defenses.gaussian_noise import GaussianNoise
    >>> check_defense(GaussianNoise(noise_multiplier=0.5))
"""

from leakaudit.testing.attacks import check_attack
from leakaudit.testing.defenses import check_defense
from leakaudit.testing.models import check_model

__all__ = ["check_attack", "check_defense", "check_model"]
