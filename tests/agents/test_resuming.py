"""A training that is killed at any moment goes on to the bytes of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_images import SIZE, Columns
from toy_training import short

from darla.agents import train_agent
from darla.common import Artefact, InputError, is_complete
from darla.envs import EnvDomain

PROGRAM = """
import sys
from toy_images import ENV_ID
from toy_training import short
from darla.agents import train_agent
from darla.envs import EnvDomain

algorithm, encoder, out = sys.argv[1:]
train_agent(short(algorithm, **{changes}), EnvDomain("columns", ENV_ID), encoder or None, out, seed=11)
"""
LONGER = {"env_steps": 1200}


def start(algorithm, encoder, out, changes):
    here = str(Path(__file__).parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    program = PROGRAM.replace("{changes}", repr(changes))
    return subprocess.Popen(
        [sys.executable, "-c", program, algorithm, str(encoder or ""), str(out)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )


def kill_after(process, happened):
    """Kill a training as soon as something has happened in its folder."""
    deadline = time.monotonic() + 600
    while not happened():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "the training did not get far enough to be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("algorithm", "on_latents", "changes"),
    [
        ("ppo", True, {}),
        ("dqn", True, {}),
        ("a2c", False, {}),
        ("mfec", False, {}),
        ("ppo", False, {"precision": "bfloat16"}),
    ],
    ids=["ppo", "dqn", "a2c-pixels", "mfec-pixels", "ppo-pixels-bfloat16"],
)
def test_a_killed_training_resumes_to_the_same_bytes(algorithm, on_latents, changes, columns, encoder_folder, tmp_path):
    encoder, changes = encoder_folder if on_latents else None, {**LONGER, **changes}
    config = short(algorithm, **changes)
    out = tmp_path / "killed"
    process = start(algorithm, encoder, out, changes)
    checkpoints = out / "checkpoint"
    kill_after(process, lambda: (checkpoints / "state.json").is_file())
    assert not is_complete(out)
    assert len(list(checkpoints.glob("*.safetensors"))) >= 1
    resumed = train_agent(config, EnvDomain("columns", columns.env_id), encoder, out, seed=11)
    whole = train_agent(config, EnvDomain("columns", columns.env_id), encoder, tmp_path / "whole", seed=11)
    assert resumed.card["files"] == whole.card["files"]
    assert resumed.digest == whole.digest
    assert (out / "policy.safetensors").read_bytes() == (tmp_path / "whole/policy.safetensors").read_bytes()


def test_the_number_of_workers_does_not_change_the_agent(columns, encoder_folder, tmp_path):
    config = short(env_steps=400)
    alone = train_agent(config, columns, encoder_folder, tmp_path / "alone", seed=2)
    shared = train_agent(config, columns, encoder_folder, tmp_path / "shared", seed=2, workers=2)
    assert alone.digest == shared.digest


def test_another_seed_gives_another_agent(columns, encoder_folder, tmp_path):
    config = short(env_steps=200)
    first = train_agent(config, columns, encoder_folder, tmp_path / "1", seed=1)
    second = train_agent(config, columns, encoder_folder, tmp_path / "2", seed=2)
    assert first.card["files"]["policy.safetensors"] != second.card["files"]["policy.safetensors"]


def test_a_finished_training_is_not_done_again(columns, encoder_folder, tmp_path):
    config = short(env_steps=200)
    first = train_agent(config, columns, encoder_folder, tmp_path / "agent", seed=1)
    stamp = (tmp_path / "agent/policy.safetensors").stat().st_mtime_ns
    again = train_agent(config, columns, encoder_folder, tmp_path / "agent", seed=1)
    assert again.digest == first.digest
    assert (tmp_path / "agent/policy.safetensors").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("change", ["seed", "config", "domain"])
def test_a_folder_begun_with_something_else_is_refused(change, columns, encoder_folder, tmp_path):
    config, domain, seed = short(env_steps=200), columns, 1
    train_agent(config, domain, encoder_folder, tmp_path / "agent", seed=seed)
    if change == "seed":
        seed = 2
    elif change == "config":
        config = short(env_steps=300)
    else:
        domain = EnvDomain("columns", columns.env_id, ({"size": SIZE, "length": 7},))
    with pytest.raises(InputError, match="another configuration"):
        train_agent(config, domain, encoder_folder, tmp_path / "agent", seed=seed)


def test_ctrl_c_waits_for_the_checkpoint_and_loses_nothing(columns, tmp_path, monkeypatch, capsys):
    config, step = short(env_steps=600, checkpoint_interval=200), Columns.step
    whole = train_agent(config, columns, None, tmp_path / "whole", seed=3)
    steps = []

    def press(self, action):
        steps.append(action)
        if len(steps) == 300:
            signal.raise_signal(signal.SIGINT)
        return step(self, action)

    monkeypatch.setattr(Columns, "step", press)
    with pytest.raises(KeyboardInterrupt):
        train_agent(config, columns, None, tmp_path / "part", seed=3)
    assert "stopping at the next checkpoint, at most 200 steps away" in capsys.readouterr().err
    saved = json.loads((tmp_path / "part/checkpoint/state.json").read_text())
    assert 400 <= len(steps) == int(Path(saved["content"]["tensors"]).stem) < 500
    monkeypatch.setattr(Columns, "step", step)
    assert train_agent(config, columns, None, tmp_path / "part", seed=3).digest == whole.digest


def test_a_training_with_a_truncated_checkpoint_begins_again(columns, tmp_path, monkeypatch, capsys):
    out, config = tmp_path / "agent", short(env_steps=700)
    monkeypatch.setattr(Columns, "steps_left", 400)
    with pytest.raises(KeyboardInterrupt):
        train_agent(config, columns, None, out, seed=1)
    monkeypatch.undo()
    tensors = next((out / "checkpoint").glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-100])
    again = train_agent(config, columns, None, out, seed=1)
    assert "is damaged" in capsys.readouterr().err
    assert again.digest == train_agent(config, columns, None, tmp_path / "whole", seed=1).digest


def test_a_training_stopped_by_ctrl_c_resumes_to_the_same_bytes(columns, encoder_folder, tmp_path, monkeypatch):
    config = short(env_steps=700)
    for patience in (10, 350, 350):
        monkeypatch.setattr(Columns, "steps_left", patience)
        with pytest.raises(KeyboardInterrupt):
            train_agent(config, columns, encoder_folder, tmp_path / "stopped", seed=1)
    monkeypatch.undo()
    stopped = train_agent(config, columns, encoder_folder, tmp_path / "stopped", seed=1)
    whole = train_agent(config, columns, encoder_folder, tmp_path / "whole", seed=1)
    assert stopped.digest == whole.digest


def test_wall_time_of_all_parts_is_counted(columns, tmp_path):
    artefact = train_agent(short(env_steps=200), columns, None, tmp_path / "agent", seed=1)
    assert isinstance(artefact, Artefact)
    assert artefact.card["wall_seconds"] > 0


@pytest.mark.parametrize("name", ["state.json", "0", "../snapshots/"])
def test_a_damaged_checkpoint_is_not_resumed_from(name, columns, encoder_folder, tmp_path, capsys):
    config = short("ppo", **LONGER)
    out = tmp_path / "killed"
    process = start("ppo", encoder_folder, out, LONGER)
    state = out / "checkpoint" / "state.json"

    def files(start: str) -> list[str]:  # that the newest checkpoint knows; the next may be half written
        known = json.loads(state.read_text())["files"] if state.is_file() else {}
        return [file for file in known if file.startswith(start)]

    kill_after(process, lambda: files("../"))
    path = state if name == "state.json" else state.parent / files(name)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    domain = EnvDomain("columns", columns.env_id)
    resumed = train_agent(config, domain, encoder_folder, out, seed=11)
    assert "the checkpoint is not used" in capsys.readouterr().err
    assert resumed.digest == train_agent(config, domain, encoder_folder, tmp_path / "whole", seed=11).digest
