"""Every example runs, with tiny settings."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TINY = {
    "01_train_beta_vae.py": "--out {out}/vae --steps 4",
    "02_darla_end_to_end.py": "--out {out}/darla --frames 60 --steps 4 --env-steps 512 --episodes 1",
    "03_metrics_on_your_codes.py": "--rows 600",
    "04_your_own_task.py": "--out {out}/hallway --frames 60 --steps 4 --env-steps 512 --episodes 1",
    "05_new_vision_model.py": "--out {out}/model --steps 4",
    "06_agent_in_your_own_loop.py": "{out}/darla/agent --episodes 1",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: the sixth example plays the agent of the second."""
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_listed_and_short() -> None:
    files = sorted(EXAMPLES.glob("*.py"))
    assert [file.name for file in files] == sorted(TINY)
    assert {file.name: lines for file in files if (lines := len(file.read_text().splitlines())) > 60} == {}


@pytest.mark.parametrize("name", sorted(TINY))
def test_an_example_runs(name: str, out: Path) -> None:
    command = [sys.executable, str(EXAMPLES / name), *TINY[name].format(out=out).split()]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
