"""Who vouches for a record: OpenSSH's own signatures, held against the policy."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import Typed
from gate_records import budget, gate_record, policy_file

from leakaudit.record import Record, canonical, read_record, sealed, write_record

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="needs OpenSSH (apt install openssh-client)"
)
SIGNED = 'signed_by = ["officer@hospital"]\n'


def key(folder: Path, name: str) -> Path:
    made = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(made)], check=True
    )
    return made


@pytest.fixture(scope="module")
def record() -> Record:
    return gate_record()


@pytest.fixture
def run(tmp_path: Path, record: Record) -> Path:
    write_record(record, tmp_path)
    return tmp_path


@pytest.fixture
def officer(run: Path) -> Path:
    return key(run, "officer")


@pytest.fixture
def signers(run: Path, officer: Path) -> Path:
    lines = [
        f"{name} {each.with_suffix('.pub').read_text()}"
        for name, each in (("officer@hospital", officer), ("intern@hospital", key(run, "intern")))
    ]
    (run / "signers").write_text("".join(lines))
    return run / "signers"


def test_signed_and_verified(typed: Typed, run: Path, officer: Path, signers: Path) -> None:
    assert typed("sign", run, "--key", officer).code == 0
    got = typed("verify", run, "--allowed-signers", signers)
    assert (got.code, "was signed by officer@hospital" in got.out) == (0, True)
    # What OpenSSH itself says of it, without us.
    with (run / "audit.json").open("rb") as content:
        subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "officer@hospital",
             "-n", "leakaudit", "-s", run / "audit.json.sig"],
            stdin=content, check=True, capture_output=True,
        )  # fmt: skip


def test_a_gate_takes_only_what_was_signed_by_those_it_names(
    typed: Typed, run: Path, officer: Path, signers: Path
) -> None:
    policy = policy_file(run, SIGNED + budget())

    def check() -> tuple[int, str]:
        got = typed("check", run, "--policy", policy, "--allowed-signers", signers)
        return got.code, got.out + got.err

    code, said = check()
    assert (code, "no signature audit.json.sig beside it" in said) == (2, True)
    typed("sign", run, "--key", run / "intern")
    code, said = check()
    assert (code, "a signature of intern@hospital" in said) == (2, True)
    typed("sign", run, "--key", key(run, "stranger"))
    code, said = check()
    assert (code, "by nobody among the allowed signers" in said) == (2, True)
    typed("sign", run, "--key", officer)
    code, said = check()
    assert (code, "Policy kept" in said) == (0, True)


def test_an_edited_record_with_a_new_hash_is_found_out(
    typed: Typed, run: Path, officer: Path, signers: Path
) -> None:
    typed("sign", run, "--key", officer)
    edited = sealed(read_record(run).model_copy(update={"title": "A better one"}))
    write_record(edited, run)
    policy = policy_file(run, SIGNED + budget())
    # The hash fits: that is all a hash can say.
    assert read_record(run).title == "A better one"
    got = typed("check", run, "--policy", policy, "--allowed-signers", signers)
    assert (got.code, "a signature that does not fit" in got.err) == (2, True)
    assert typed("verify", run, "--allowed-signers", signers).code == 2


def test_a_signature_for_something_else_does_not_count(
    typed: Typed, run: Path, officer: Path, signers: Path
) -> None:
    content = (run / "audit.json").read_bytes()
    made = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", officer, "-n", "git"],
        input=content, capture_output=True, check=True,
    )  # fmt: skip
    (run / "audit.json.sig").write_bytes(made.stdout)
    assert typed("verify", run, "--allowed-signers", signers).code == 2


def test_a_baseline_is_signed_too(typed: Typed, run: Path, officer: Path, signers: Path) -> None:
    typed("baseline", run, "-o", run / "privacy-baseline.json")
    typed("sign", run, "--key", officer)
    rule = '[[regression]]\nname = "no worse"\nmargin = 0.1\nsource = "the committee"\n'
    policy = policy_file(run, f'{SIGNED}setting = "none"\n{rule}')
    asked = (
        "check", run, "--policy", policy, "--allowed-signers", signers,
        "--baseline", run / "privacy-baseline.json",
    )  # fmt: skip
    got = typed(*asked)
    assert (got.code, "privacy-baseline.json must be signed" in got.err) == (2, True)
    assert typed("sign", run / "privacy-baseline.json", "--key", officer).code == 0
    assert typed(*asked).code == 0


@pytest.mark.parametrize(
    ("text", "with_signers", "said"),
    [
        (SIGNED, False, "pass --allowed-signers FILE"),
        ("", True, "write signed_by ="),
        ("signed_by = 3\n", True, "signed_by"),
    ],
)
def test_half_of_it_is_refused(
    typed: Typed, run: Path, signers: Path, text: str, with_signers: bool, said: str
) -> None:
    extra = ("--allowed-signers", signers) if with_signers else ()
    got = typed("check", run, "--policy", policy_file(run, text + budget()), *extra)
    assert (got.code, said in got.err, "Traceback" in got.err) == (4, True, False)


def test_bad_input(typed: Typed, run: Path, officer: Path, signers: Path) -> None:
    for command, said in (
        (("sign", run, "--key", run / "no such"), "the key is an SSH private key"),
        (("sign", run, "--key", signers), "the key must be able to sign"),
        (("sign", run / "signers", "--key", officer), "must be whole JSON"),
        (("verify", run, "--allowed-signers", run / "no such"), "allowed signers are a file"),
    ):
        got = typed(*command)
        assert (got.code, said in got.err) == (4, True), got.err
    raw = json.loads((run / "audit.json").read_text("utf-8"))
    (run / "audit.json").write_text(canonical({**raw, "title": "edited"}), "utf-8")
    got = typed("sign", run, "--key", officer)
    assert (got.code, "content_sha256" in got.err) == (4, True)
