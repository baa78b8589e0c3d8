"""A stage that is killed and called again ends with the bytes of one that was not."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from darla import vision
from darla.vision.models.registry import MODELS

PROGRAM = Path(__file__).with_name("interrupted.py")


def run(out: Path) -> str:
    answer = subprocess.run([sys.executable, PROGRAM, out], capture_output=True, text=True, timeout=900)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()[-1]


def steps_done(out: Path) -> int:
    """Training steps of both models that checkpoints vouch for."""
    done = 0
    for part in (out / "dae", out):
        steps = [int(path.stem.removeprefix("step-")) for path in (part / "checkpoint").glob("step-*.json")]
        done += 12 if (part / "card.json").exists() else max(steps, default=0)
    return done


def kill_after(out: Path, steps: int, delay: float) -> None:
    """Start the stage, and kill it `delay` seconds after `steps` steps have been saved."""
    stage = subprocess.Popen(
        [sys.executable, PROGRAM, out, "0.05"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while steps_done(out) < steps and stage.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    stage.send_signal(signal.SIGKILL)
    stage.wait()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("resume") / "whole"
    return out, run(out)


def test_killed_and_resumed_equals_uninterrupted(uninterrupted, tmp_path):
    whole, digest = uninterrupted
    out = tmp_path / "killed"
    delays = np.random.default_rng().uniform(0, 0.3, 2)
    for steps, delay in zip((3, 18), delays, strict=True):  # within the DAE's training, then within the model's
        kill_after(out, steps, delay)
        assert not (out / "card.json").exists()
    assert run(out) == digest, f"killed {delays} s after checkpoints"
    cards = [json.loads((folder / "card.json").read_text())["files"] for folder in (whole, out)]
    assert cards[0] == cards[1]


def test_ctrl_c_makes_a_checkpoint_at_its_own_step_from_which_training_goes_on(tiny, frames, tmp_path, monkeypatch):
    config = tiny.change(training__steps=12, training__checkpoint_every=1000, training__log_every=1000)
    whole = vision.train_encoder(config, frames, tmp_path / "whole", seed=0)
    model, steps = MODELS["beta_vae"], []
    loss = model.loss

    def press(self, *arguments):
        steps.append(1)
        if len(steps) == 5:
            signal.raise_signal(signal.SIGINT)
        return loss(self, *arguments)

    monkeypatch.setattr(model, "loss", press)
    with pytest.raises(KeyboardInterrupt):
        vision.train_encoder(config, frames, tmp_path / "part", seed=0)
    saved = (tmp_path / "part" / "checkpoint").glob("step-*.json")
    assert [int(path.stem.removeprefix("step-")) for path in saved] == [5]
    assert vision.train_encoder(config, frames, tmp_path / "part", seed=0).digest == whole.digest
    assert len(steps) == 12 + 1  # the last step's log evaluates the held-out images


def test_no_partial_file_is_left_behind(uninterrupted):
    whole, _ = uninterrupted
    assert not list(whole.rglob("*.partial"))
    assert not list(whole.rglob("checkpoint"))
