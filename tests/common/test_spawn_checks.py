"""A script without a guard, and values that cannot be sent, are told before a worker is started."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darla.common import InputError
from darla.common.jobs.spawn_checks import pickled_bytes

BEGINNING = "from darla.common.jobs.processes import worker_pool\n\n"
WORK = "with worker_pool(1) as pool:\n    print(pool.submit(abs, -5).result())\n"
GUARDED = 'if __name__ == "__main__":\n' + "".join(f"    {line}\n" for line in WORK.splitlines())


def run(script: Path, text: str) -> subprocess.CompletedProcess[str]:
    script.write_text(text)
    return subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "text",
    [
        BEGINNING + WORK,
        BEGINNING + "def main():\n" + "".join(f"    {line}\n" for line in WORK.splitlines()) + "\nmain()\n",
        BEGINNING + 'if __name__ == "__main__":\n    pass\nelse:\n    pass\n' + WORK,
    ],
    ids=["plain", "in a function", "beside a guard"],
)
def test_a_script_that_workers_cannot_import_is_told_so_with_the_line(text: str, tmp_path: Path) -> None:
    ended = run(tmp_path / "script.py", text)
    last = ended.stderr.strip().splitlines()[-1]
    line = next(n for n, row in enumerate(text.splitlines(), start=1) if row.startswith(("main()", "with")))
    assert f"script.py, line {line}, starts worker processes, which import this script again" in last
    assert 'if __name__ == "__main__":' in last
    assert "bootstrapping" not in ended.stderr  # no worker was started


def test_a_script_with_a_guard_runs(tmp_path: Path) -> None:
    ended = run(tmp_path / "script.py", BEGINNING + GUARDED)
    assert (ended.stdout, ended.returncode) == ("5\n", 0), ended.stderr


def test_what_cannot_be_pickled_is_told_so() -> None:
    with pytest.raises(InputError, match=r"the domain cannot be sent to worker processes \(.*\); use workers=1"):
        pickled_bytes({"render": lambda: None}, "the domain")


def test_arrays_count_with_their_size() -> None:
    assert 1000 < pickled_bytes([np.zeros(1000, np.uint8)], "an array") < 1500
