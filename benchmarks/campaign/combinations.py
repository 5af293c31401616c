"""A cell of the covering set of combinations: done, or refused before training."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from pathlib import Path

from ended import Ended, Tried

from leakaudit.cli.failure import report_failure
from leakaudit.errors import EXIT_INTERNAL, EXIT_OK
from leakaudit.plan.defending import check_defenses
from leakaudit.plan.plan import AttackId, TrainingId

TESTS = Path(__file__).parents[2] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "audit")]


def combination(rng: random.Random, folder: Path) -> Tried:
    """A cell with another training seed than the test's, in this process."""
    from in_process_audit import Trial as Audit
    from test_pairwise import CASES, configured

    case = rng.choice(CASES)
    configuration = configured(case.split, case.stack, [case])
    configuration = configuration.model_copy(update={"seeds": (rng.randrange(1, 10**6),)})
    started = False
    identity = AttackId(TrainingId(case.stack, configuration.seeds[0]), case.adversary, case.attack)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            audit = Audit(configuration, folder)
            check_defenses(configuration.swept, audit.choice, audit.given)
            started = True
            audit.attack(identity)
        except Exception as problem:
            code = report_failure(problem, debug=False)
            # What could be known before the first training is refused before it.
            code = EXIT_INTERNAL if started else code
        else:
            code = EXIT_OK
    return Tried(Ended(code, f"{case}: {said.getvalue()}"))
