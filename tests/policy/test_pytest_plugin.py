"""The pytest plug-in in somebody else's test run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gate_records import NONE, budget, gate_record, policy_file

from leakaudit.record import write_record

pytest_plugins = ("pytester",)

TESTS = """
import pytest

def test_policy(leakage_audit):
    leakage_audit.check()

def test_one_rule(leakage_audit):
    assert leakage_audit["images"].status == "pass"
    assert leakage_audit.record.audit_id == "3f9a1c07"

def test_unknown(leakage_audit):
    with pytest.raises(Exception, match="did you mean 'images'"):
        leakage_audit["image"]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_record(gate_record(), folder)
    return folder


def options(run: Path, folder: Path, text: str) -> tuple[str, ...]:
    return ("--leakaudit-run", str(run), "--leakage-policy", str(policy_file(folder, text)))


def test_a_kept_policy_passes(pytester: pytest.Pytester, run: Path) -> None:
    pytester.makepyfile(TESTS)
    done = pytester.runpytest(*options(run, pytester.path, budget(name="images")))
    done.assert_outcomes(passed=3)


def test_a_violated_one_fails_with_the_message(pytester: pytest.Pytester, run: Path) -> None:
    pytester.makepyfile(TESTS)
    done = pytester.runpytest(*options(run, pytester.path, budget(NONE, name="images")))
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(["*Policy violated: 1 rule*", "*curious server on images of*"])


@pytest.mark.parametrize("text", [budget(source=None), budget(adversary="nobody")])
def test_a_broken_policy_is_no_pass(pytester: pytest.Pytester, run: Path, text: str) -> None:
    pytester.makepyfile(TESTS)
    done = pytester.runpytest(*options(run, pytester.path, text))
    assert done.parseoutcomes().get("passed", 0) == 0


def test_without_options_it_is_no_pass_either(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    done = pytester.runpytest()
    assert done.parseoutcomes() == {"errors": 3}
    done.stdout.fnmatch_lines(["*needs --leakaudit-run DIR*"])


def test_unused_it_imports_nothing(pytester: pytest.Pytester) -> None:
    """Others' test runs pay nothing: only the plug-in's own file is read."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_else_came_along():
            ours = {m for m in sys.modules if m.partition(".")[0] == "leakaudit"}
            assert ours <= {"leakaudit", "leakaudit.pytest_plugin"}, ours
            assert not {"torch", "numpy", "pydantic", "scipy"} & set(sys.modules)
        """
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest", str(pytester.path)],
        capture_output=True, text=True, check=False, cwd=pytester.path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
