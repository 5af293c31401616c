"""What is mutated, and the command that reads it: in this process, which a command must not end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ended import Tried, command
from mutations import restructured, scrambled, toml, without

from leakaudit.plugins import Kind, load, names
from leakaudit.record.store import canonical

Trial = Callable[[random.Random, Path], Tried]


@dataclass(frozen=True)
class Base:
    """A finished audit, what it was made from, and a policy that it breaks."""

    configuration: Path
    run: Path
    policy: Path

    @property
    def trace(self) -> Path:
        return next(iter(sorted(self.run.glob("cells/*/trace"))))


def configurations(base: Base) -> Trial:
    given = tomllib.loads(base.configuration.read_text())
    wide, text = wide_configuration(given), base.configuration.read_bytes()

    def trial(rng: random.Random, folder: Path) -> Tried:
        file = folder / "audit.toml"
        kind = rng.random()
        if kind < 0.75:
            changed = restructured(wide if kind < 0.2 else given, rng, rng.choice([1, 1, 2, 4]))
            file.write_text(toml(changed), encoding="utf-8", errors="surrogatepass")
        else:
            file.write_bytes(scrambled(text, rng, rng.choice([1, 3])))
        out = folder / "run"
        return Tried(command("run", file, "--out", out, "--no-report", "--quiet"))

    return trial


def wide_configuration(given: dict[str, Any]) -> dict[str, Any]:
    """The same with every attack and defense, and every setting of theirs written out."""
    attacks = [
        {"use": name, "label": name, **_written(Kind.ATTACK, name)} for name in names(Kind.ATTACK)
    ]
    defenses = [
        {"label": name, "stack": [{"use": name, **_written(Kind.DEFENSE, name)}]}
        for name in names(Kind.DEFENSE)
        if name != "none"
    ]
    sweep = {"use": "gaussian-noise", "clip_norm": 1.0, "noise_multiplier": {"values": [0.5, 1.0]}}
    targets = [{"asset": "images", "max": 0.2, "adversary": "curious-server"}]
    return {
        **given, "attacks": attacks, "defenses": [{"label": "none"}, *defenses], "sweep": [sweep],
        "targets": targets,
    }  # fmt: skip


def _written(kind: Kind, name: str) -> dict[str, Any]:
    """Every setting that has a value of its own."""
    fields = load(kind, name).model_fields.items()
    plain = (bool, int, float, str)
    return {
        field: 0.5 if each.is_required() else each.default
        for field, each in fields
        if each.is_required() or isinstance(each.default, plain)
    }


def policies(base: Base) -> Trial:
    given = tomllib.loads(base.policy.read_text())
    text = base.policy.read_bytes()

    def trial(rng: random.Random, folder: Path) -> Tried:
        file = folder / "leakage-policy.toml"
        if rng.random() < 0.7:
            changed = restructured(given, rng, rng.choice([1, 1, 2, 4]))
            file.write_text(toml(changed), encoding="utf-8", errors="surrogatepass")
        else:
            file.write_bytes(scrambled(text, rng, rng.choice([1, 3])))
        ended = command("check", base.run, "--policy", file)
        return Tried(ended, _without_budget(file) if ended.code == 0 else "")

    return trial


def _without_budget(policy: Path) -> str:
    """Why a policy that was kept should not have been."""
    rules = tomllib.loads(policy.read_text())
    waived = {each.get("rule") for each in rules.get("waiver", ())}
    budgets = [each for kind in ("budget", "regression") for each in rules.get(kind, ())]
    left = [each for each in budgets if each.get("name") not in waived]
    return "" if left else "a policy passed in which no budget on leakage counts"


def records(base: Base) -> Trial:
    """Records, half of them with a right hash."""
    content = json.loads((base.run / "audit.json").read_text())
    text = (base.run / "audit.json").read_bytes()

    def trial(rng: random.Random, folder: Path) -> Tried:
        file = folder / "audit.json"
        kind, wrong = rng.randrange(4), ""
        if kind == 0:
            file.write_bytes(scrambled(text, rng, rng.choice([1, 3])))
            wrong = "" if file.read_bytes() == text else "a record passed that was edited"
        elif kind == 1:
            lacking, path = without(content, rng)
            sealed(lacking, file)
            wrong = f"a record passed that had failed, once {'.'.join(map(str, path))} was gone"
        else:
            changed = restructured(content, rng, rng.choice([1, 1, 2, 4]))
            if kind == 2:
                sealed(changed, file)
            else:
                file.write_text(json.dumps(changed), encoding="utf-8", errors="replace")
                same = {k: v for k, v in changed.items() if k != "volatile"}
                wrong = "" if same == {k: v for k, v in content.items() if k != "volatile"} else (
                    "a record passed that was edited"
                )  # fmt: skip
        how = rng.randrange(4)
        if how == 0:
            return Tried(command("report", file, "--only", "html", "--only", "markdown"))
        if how == 1:
            return Tried(command("compare", base.run, file))
        ended = command("check", file, "--policy", base.policy, "--summary", folder / "s.md")
        return Tried(ended, wrong if ended.code == 0 else "")

    return trial


def sealed(content: dict[str, Any], file: Path) -> None:
    """Write a record whose hash is right, as an editor would."""
    if isinstance(content, dict):
        counted = {k: v for k, v in content.items() if k not in {"content_sha256", "volatile"}}
        with contextlib.suppress(ValueError, TypeError):
            digest = hashlib.sha256(canonical(counted).encode()).hexdigest()
            content = {**content, "content_sha256": digest}
    file.write_text(json.dumps(content), encoding="utf-8", errors="replace")


def traces(base: Base) -> Trial:
    description = json.loads((base.trace / "trace.json").read_text())
    log = [json.loads(line) for line in (base.trace / "shards.jsonl").read_text().splitlines()]

    def trial(rng: random.Random, folder: Path) -> Tried:
        trace = folder / "trace"
        shutil.copytree(base.trace, trace)
        kind = rng.randrange(5)
        if kind == 0:
            changed = restructured(description, rng, rng.choice([1, 1, 2, 4]))
            (trace / "trace.json").write_text(json.dumps(changed))
        elif kind == 1:
            lines = restructured({"lines": log}, rng, rng.choice([1, 2])).get("lines", "")
            lines = lines if isinstance(lines, list) else [lines]
            (trace / "shards.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
        else:
            file = rng.choice(sorted(trace.iterdir()))
            file.write_bytes(scrambled(file.read_bytes(), rng, rng.choice([1, 3])))
            if kind == 3 and file.suffix == ".safetensors":
                _log_again(trace, file)
        return Tried(
            command("attack", trace, base.configuration, "--out", folder / "run", "--quiet")
        )

    return trial


def _log_again(trace: Path, file: Path) -> None:
    """Make the digest of a shard right, as whoever edits one would."""
    lines = [json.loads(line) for line in (trace / "shards.jsonl").read_text().splitlines()]
    for line in lines:
        if line.get("file") == file.name:
            content = file.read_bytes()
            line |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (trace / "shards.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))


def cohorts(kinds: dict[str, Callable[[Path], None]], made: Path) -> Trial:
    """Data folders of several layouts, one file of them mutated."""
    folders = []
    for name, write in kinds.items():
        folder = made / name.replace("/", " ")
        if not folder.exists():
            folder.mkdir(parents=True)
            write(folder)
        folders.append(folder)

    def trial(rng: random.Random, folder: Path) -> Tried:
        data = folder / "data"
        shutil.copytree(rng.choice(folders), data)
        files = sorted(each for each in data.rglob("*") if each.is_file())
        for _ in range(rng.choice([1, 1, 3])):
            _spoil(rng.choice(files), rng)
        return Tried(command("init", data, "--out", folder / "out"))

    return trial


def _spoil(file: Path, rng: random.Random) -> None:
    if not file.exists():
        return
    content = file.read_bytes()
    if rng.random() < 0.1:
        file.unlink()
    elif file.suffix == ".json" and rng.random() < 0.7:
        try:
            described = json.loads(content)
        except ValueError:
            return
        file.write_text(json.dumps(restructured(described, rng, rng.choice([1, 2]))))
    elif file.suffix == ".npz" and rng.random() < 0.7:
        _other_arrays(file, rng)
    else:
        # Headers are a small part of a file, and hold all that can go wrong.
        head = 400 if rng.random() < 0.5 else len(content)
        file.write_bytes(scrambled(content[:head], rng, rng.choice([1, 3])) + content[head:])


def _other_arrays(file: Path, rng: random.Random) -> None:
    import numpy as np

    try:
        held = dict(np.load(file))
    except (ValueError, OSError, zipfile.BadZipFile):
        return
    name = rng.choice(sorted(held))
    array = np.atleast_1d(held[name])
    odd: list[Any] = [
        np.array(0), np.array("a"), np.array([]), array[:1], array[..., None], array.astype(str),
        np.zeros_like(array), np.full(array.shape, np.nan), array.ravel(), np.array([None, 1]),
        np.full(array.shape, 1e300), np.full(array.shape, 2**62), np.array(["x"] * len(array)),
        array.astype(np.complex64) if array.dtype.kind in "fiu" else array, array[::-1],
    ]  # fmt: skip
    held[rng.choice([name, name, "slice", "channels", "study", "site"])] = rng.choice(odd)
    np.savez(file, **held)
