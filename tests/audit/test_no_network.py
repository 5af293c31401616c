"""An audit opens no socket but to its own workers on the loopback address."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_audit import small_audit

# Read by every Python that starts, the engine's workers too.
WATCH = """
import ipaddress, os, sys

def elsewhere(host):
    if host in ("localhost", None):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        address = arguments[1]
        found = isinstance(address, tuple) and elsewhere(address[0])
    elif event == "socket.getaddrinfo":
        address = arguments[0]
        found = elsewhere(address)
    else:
        return
    name = "outside" if found else "inside"
    with open(os.path.join(os.environ["WATCHED"], name), "a") as file:
        file.write(f"{event} {address}\\n")
    if found:
        raise PermissionError(f"{event} {address}")

sys.addaudithook(watch)
"""


@pytest.mark.slow
def test_an_audit_talks_to_nobody_but_its_own_workers(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WATCH)
    small_audit(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "leakaudit", "run", tmp_path / "audit.toml",
         "--out", tmp_path / "run", "--set", "attacks.0.steps=5", "--quiet"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "WATCHED": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.pdf").exists()
    assert not (tmp_path / "outside").exists(), (tmp_path / "outside").read_text()
    assert "socket.connect" in (tmp_path / "inside").read_text()  # it did look
