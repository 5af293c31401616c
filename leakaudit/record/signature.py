"""Who vouches for a file: OpenSSH's signatures, made and checked by OpenSSH itself.

A hash tells of damage, not of edits: whoever edits a record can compute its hash anew. A signature
cannot be made without the key. Nothing here computes one: `ssh-keygen -Y sign` and
`ssh-keygen -Y verify` do, which engineers have and git uses (see ssh-keygen(1), "ALLOWED SIGNERS").
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from leakaudit.errors import ConfigurationError, EnvironmentProblemError, NoValidVerdictError
from leakaudit.whole import write_whole

NAMESPACE = "leakaudit"
"""What the signature is for: one made for mail or for git does not vouch for an audit."""
SUFFIX = ".sig"
_MOST_SIGNATURE_BYTES = 1 << 16


def signature_of(file: Path) -> Path:
    """Where the signature of a file stands: beside it."""
    return file.with_name(file.name + SUFFIX)


def sign(file: Path, key: Path) -> Path:
    """Sign a file with an SSH key; a passphrase is asked for by OpenSSH.

    Args:
        file: what is vouched for.
        key: a private key, or the public one of a key that an agent holds.

    Returns:
        The signature's file, beside it.

    Raises:
        ConfigurationError: the key is not there, or cannot sign.
        EnvironmentProblemError: OpenSSH is not installed.
    """
    if not key.is_file():
        raise ConfigurationError(
            "the key is an SSH private key, or the public one of a key that an agent holds",
            found=str(key),
            remedy="name an existing one, or make one: ssh-keygen -t ed25519",
        )
    done = _ssh_keygen(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE], file.read_bytes())
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise ConfigurationError(
            "the key must be able to sign",
            found=_said(done),
            remedy="try it alone: ssh-keygen -Y sign -n file -f KEY FILE",
        )
    return write_whole(signature_of(file), done.stdout)


def verify(file: Path, allowed_signers: Path, wanted: tuple[str, ...] = ()) -> str:
    """Who of the allowed signers signed a file.

    Args:
        file: its signature stands beside it.
        allowed_signers: OpenSSH's allowed signers file: who may sign, and with which key.
        wanted: of them, whose signature counts; empty: anybody's.

    Returns:
        The signer, as the file names it.

    Raises:
        NoValidVerdictError: no signature, one of somebody else, or one of another content.
        ConfigurationError: the file of allowed signers is not there.
        EnvironmentProblemError: OpenSSH is not installed.
    """
    if not allowed_signers.is_file():
        raise ConfigurationError(
            "allowed signers are a file: a name and a public key a line",
            found=str(allowed_signers),
            remedy="write one: NAME ssh-ed25519 AAAA..., from the signer's .pub file",
        )
    signature = signature_of(file)
    if not signature.is_file() or signature.stat().st_size > _MOST_SIGNATURE_BYTES:
        raise _not_signed(file, f"no signature {signature.name} beside it")
    content, kept = file.read_bytes(), signature.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        # A copy: what was checked cannot be changed between two calls.
        copy = Path(folder) / "signature"
        copy.write_bytes(kept)
        allowed = ["-f", str(allowed_signers), "-s", str(copy)]
        found = _ssh_keygen(["-Y", "find-principals", *allowed], b"")
        signers = [name for line in _lines(found.stdout) for name in line.split(",") if name]
        if found.returncode or not signers:
            raise _not_signed(file, "a signature by nobody among the allowed signers")
        counted = [name for name in signers if not wanted or name in wanted]
        if not counted:
            raise _not_signed(file, f"a signature of {', '.join(signers)}")
        for signer in counted:
            done = _ssh_keygen(["-Y", "verify", "-I", signer, "-n", NAMESPACE, *allowed], content)
            if done.returncode == 0:
                return signer
    raise _not_signed(file, f"a signature that does not fit: {_said(done)}")


def _ssh_keygen(arguments: list[str], content: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise EnvironmentProblemError(
            "signatures are made and checked by OpenSSH 8.2 or newer",
            found="no ssh-keygen on this machine",
            remedy="install it (Debian: apt install openssh-client)",
        )
    return subprocess.run(
        [program, *arguments], input=content, capture_output=True, check=False,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip


def _not_signed(file: Path, found: str) -> NoValidVerdictError:
    return NoValidVerdictError(
        f"{file.name} must be signed by somebody whose signature counts",
        found=found,
        remedy="have it signed after it was read: leakaudit sign RUN --key FILE",
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = _lines(done.stderr) or _lines(done.stdout) or [f"exit code {done.returncode}"]
    return lines[-1][:200]


def _lines(text: bytes) -> list[str]:
    return [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
