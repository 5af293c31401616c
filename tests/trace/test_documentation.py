"""The examples of docs/trace.md run, one after the other, as a reader would type them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from recorded_run import Run, described

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trace.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_examples_run() -> None:
    assert len(EXAMPLES) == 4
    exec(compile("\n".join(EXAMPLES), str(PAGE), "exec"), {"__name__": "example"})


def test_the_plain_reader_needs_neither_leakaudit_nor_torch(tmp_path: Path) -> None:
    Run().recorded(tmp_path / "trace", described(epochs=(0,)), shard_bytes=1 << 14)
    (plain,) = (each for each in EXAMPLES if "load_file" in each)
    # Only the names and sizes of the run differ; the last lines hold the example's own.
    plain = plain.replace('"south"', '"flair"').partition("assert features.shape")[0]
    program = (
        "import sys\nfrom pathlib import Path\nfolder = Path(sys.argv[1])\n"
        f"{plain}\nassert features.shape == (6, 4, 17, 16), features.shape\n"
        'assert not {"leakaudit", "torch"} & set(sys.modules)\n'
    )
    command = [sys.executable, "-c", program, str(tmp_path / "trace")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
