"""`leakaudit doctor`: what works on this machine, and how to mend what does not."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from leakaudit.cli.terminal import say, table
from leakaudit.errors import EXIT_OK, EXIT_USAGE
from leakaudit.plugins import Kind, entries

State = Literal["ok", "optional", "broken"]

# What a small audit writes; larger ones are checked against their own estimate when they start.
_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at.

    Attributes:
        what: its name.
        state: ``optional`` works without, with less; ``broken`` does not.
        found: what is there.
        mend: what to do about it; empty where nothing is to be done.
    """

    what: str
    state: State
    found: str
    mend: str = ""


def doctor(folder: Path) -> int:
    """Print every diagnosis.

    Args:
        folder: where runs are to be written.

    Returns:
        The exit code: 4 where something is broken.
    """
    found = [diagnosis for check in checks(folder) for diagnosis in check()]
    table("", ("", "what", "found"), ((_SIGNS[one.state], one.what, one.found) for one in found))
    for one in found:
        if one.mend:
            say(f"{one.what}: {one.mend}")
    broken = sum(one.state == "broken" for one in found)
    say(f"{broken} broken: mend it first." if broken else "Everything an audit needs works.")
    return EXIT_USAGE if broken else EXIT_OK


_SIGNS = {"ok": "ok", "optional": "--", "broken": "!!"}


def checks(folder: Path) -> list[Callable[[], Iterator[Diagnosis]]]:
    """Everything that is looked at, in order."""
    return [
        _python,
        _packages,
        _torch,
        _plugins,
        lambda: _writing(folder),
        _perception,
        _pdf,
    ]


def _python() -> Iterator[Diagnosis]:
    yield Diagnosis("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _packages() -> Iterator[Diagnosis]:
    """Each requirement of this package against what is installed."""
    from packaging.requirements import Requirement

    wrong = []
    needed = [Requirement(line) for line in requires("leakaudit") or ()]
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            there = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(there, prereleases=True):
            wrong.append(f"{requirement.name} {there} is not {requirement.specifier}")
    if wrong:
        yield Diagnosis(
            "packages",
            "broken",
            "; ".join(wrong),
            "install leakaudit again with `pip install -c constraints.txt leakaudit`",
        )
    else:
        yield Diagnosis("packages", "ok", "all there, in versions that fit")


def _torch() -> Iterator[Diagnosis]:
    try:
        import torch
    except (ImportError, OSError) as problem:
        yield Diagnosis("torch", "broken", _short(problem), "install torch again")
        return
    try:
        import torchvision
    except (ImportError, OSError, RuntimeError) as problem:
        # Its compiled part only fits the torch it was built with.
        yield Diagnosis(
            "torchvision",
            "broken",
            _short(problem),
            "install torch and torchvision in the versions of constraints.txt, both from the same "
            "package index",
        )
    else:
        yield Diagnosis(
            "torch", "ok", f"{torch.__version__}, torchvision {torchvision.__version__}"
        )
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield Diagnosis("devices", "ok", ", ".join(["cpu", *names]))
    else:
        yield Diagnosis(
            "devices",
            "optional",
            f"cpu, {torch.get_num_threads()} threads; no GPU visible",
            "audits run on the CPU; for a GPU install its driver and set training.device",
        )


def _plugins() -> Iterator[Diagnosis]:
    """Every registered class must load: one broken package must not stop an audit half-way."""
    loaded = 0
    for kind in Kind:
        for name, entry in sorted(entries(kind).items()):
            try:
                entry.load()
            except Exception as problem:  # a stranger's module may raise anything
                owner = entry.dist.name if entry.dist is not None else entry.value
                yield Diagnosis(
                    f"{kind.noun} {name}",
                    "broken",
                    _short(problem),
                    f"mend or uninstall the package that registers it ({owner})",
                )
            else:
                loaded += 1
    yield Diagnosis("plug-ins", "ok", f"{loaded} load")


def _writing(folder: Path) -> Iterator[Diagnosis]:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as problem:
        yield Diagnosis(
            "writing",
            "broken",
            f"{there}: {problem.strerror}",
            "name another folder with --out, or change its permissions",
        )
    else:
        yield Diagnosis("writing", "ok", str(there))
    free = shutil.disk_usage(there).free
    enough = free >= _LEAST_FREE_BYTES
    yield Diagnosis(
        "free disk",
        "ok" if enough else "broken",
        f"{free / 2**30:.1f} GiB",
        "" if enough else "free at least 1 GiB, or name a folder on another disk with --out",
    )


def _perception() -> Iterator[Diagnosis]:
    from leakaudit.metrics.perceptual import PerceptualDistance

    metric = PerceptualDistance()
    missing = metric.available()
    if missing is None:
        yield Diagnosis("LPIPS weights", "ok", str(metric.backbone()))
    else:
        found, _, mend = missing.partition("; to get it, ")
        yield Diagnosis("LPIPS weights", "optional", found, mend)


def _pdf() -> Iterator[Diagnosis]:
    """Typeset a line: a wheel for another processor imports, and fails here."""
    mend = "install typst again, in the version of constraints.txt"
    try:
        import typst

        with tempfile.TemporaryDirectory(prefix="leakaudit-doctor-") as name:
            source = Path(name) / "page.typ"
            source.write_text("works", encoding="utf-8")
            pages = typst.compile(source)
    except Exception as problem:  # typst's own error type is not there when its import fails
        yield Diagnosis("PDF engine", "broken", _short(problem), mend)
        return
    good = bool(re.match(rb"%PDF-", bytes(pages)))
    state: State = "ok" if good else "broken"
    yield Diagnosis("PDF engine", state, f"typst {version('typst')}", "" if good else mend)


def _short(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:300]
