"""Environments, networks and algorithms of other packages, as the documentation describes them.

Each test needs the package that it names, is slow, and is skipped where that is missing. `make test-strangers` installs
the packages, stable-worldmodel in an environment of its own since it brings its PyTorch, and lets no test be skipped.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import darla as command_line

import darla
from darla.agents import ActConfig, Agent, PPOSettings
from darla.envs import EnvDomain, EnvSetup, TransferTask, make
from darla.envs.domains.env_setup import SETUP_PARTS
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.frame_set import FrameSet
from darla.vision import frozen
from darla.zero_shot import TransferConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "own-environment.md").read_text()
BLOCKS = {language: re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
          for language in ("json", "python")}  # fmt: skip
SHOWN = {(task := json.loads(block))["name"]: task for block in BLOCKS["json"]}
"""The tasks of the page, by name."""
STRANGERS = [
    ("minigrid", "mazes", (64, 64, 3)),
    ("highway_env", "roads", (64, 160, 3)),
    ("miniworld", "hallways", (64, 80, 3)),
    ("vizdoom", "doom", (64, 80, 3)),
]
TINY_SEE = ("--preset", "beta-1", "--training.steps", "4", "--training.batch-size", "16", "--vae.latent-dim", "4")
TINY_ACT = ("--env-steps", "128", "--snapshots", "1", "--settings.n-envs", "2", "--settings.n-steps", "16",
            "--settings.batch-size", "16")  # fmt: skip
TINY_CONFIG = ActConfig(
    env_steps=32, snapshots=1, settings=PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1)
)
TINY_TRANSFER = ("--episodes", "2", "--snapshot-eval-episodes", "0")


def written(task: dict[str, Any], folder: Path) -> Path:
    path = folder / "task.json"
    path.write_text(json.dumps(task))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("package", "name", "shape"), STRANGERS)
def test_from_the_command_line_through_every_stage(
    package: str, name: str, shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package)
    monkeypatch.delenv("DISPLAY", raising=False)
    through_every_stage(SHOWN[name], shape, tmp_path)


def through_every_stage(shown: dict[str, Any], shape: tuple[int, ...], folder: Path) -> None:
    name, task, run = shown["name"], written(shown, folder), folder / "runs"
    assert f"{name} can be used" in command_line("check", task).stdout
    command_line("collect", task, "--frames", "48", "--shard-size", "24", "--workers", "2", "--out", run / "frames")
    frames = FrameSet.open(run / "frames")
    assert frames.image_shape == shape
    assert frames[:].std() > 5
    command_line("see", run / "frames", *TINY_SEE, "--out", run / "encoder")
    command_line("act", task, "--encoder", run / "encoder", *TINY_ACT, "--out", run / "agent")
    command_line(
        *("transfer", task, f"DARLA={run / 'agent'}", *TINY_TRANSFER, "--strip-frames", "4", "--out", run / "transfer"),
    )
    command_line("report", run / "transfer", "--out", run / "report")
    assert (run / "report" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("package", "name", "shape"), STRANGERS)
def test_from_python(package: str, name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pytest.importorskip(package)
    shown = SHOWN[name]
    setup = EnvSetup.from_dict({part: shown[part] for part in SETUP_PARTS if part in shown})

    def domain(role: str, described: dict[str, Any]) -> EnvDomain:
        env_id = described.get("env_id") or shown["env_id"]
        return EnvDomain(role, env_id, tuple(described["variants"]), setup=setup)

    source = domain("source", shown["source"])
    targets = {target: domain(target, described) for target, described in shown["targets"].items()}
    task = TransferTask(name, domain("unlabeled", shown["unlabeled"]), source, source, targets)
    checked = darla.check(task)
    assert checked.is_usable, str(checked)
    frames = darla.collect(CollectConfig(frames=12, sampling="random_policy"), tmp_path / "frames", task=task)
    assert FrameSet(frames).image_shape == shape


@pytest.fixture
def crafter_task(tmp_path: Path) -> Path:
    pytest.importorskip("crafter")
    code = next(block for block in BLOCKS["python"] if "import crafter" in block)
    (tmp_path / "my_crafter.py").write_text(code)
    task = {"name": "survival", "env_id": "my_crafter:Crafter", "unlabeled": {}, "source": {}, "targets": {"same": {}}}
    return written(task, tmp_path)


@pytest.mark.slow
def test_crafter_with_the_class_of_the_page(crafter_task: Path, tmp_path: Path) -> None:
    shown = command_line("check", crafter_task)
    assert "survival can be used" in shown.stdout
    # Its seed decides everything but the order of its animals, which the first steps may show or not.
    warnings = [line for line in shown.stdout.splitlines() if line.startswith("warning")]
    assert all("is not determined by reset(seed=...)" in line for line in warnings)
    command_line("collect", crafter_task, "--frames", "12", "--workers", "1", "--out", tmp_path / "frames")
    assert FrameSet.open(tmp_path / "frames").image_shape == (64, 64, 3)
    command_line("act", crafter_task, *TINY_ACT, "--out", tmp_path / "agent")


@pytest.mark.slow
def test_crafter_from_python(crafter_task: Path, tmp_path: Path) -> None:
    assert darla.check(crafter_task).is_usable
    frames = darla.collect(CollectConfig(str(crafter_task), 12), tmp_path / "frames")
    assert FrameSet(frames).image_shape == (64, 64, 3)


@pytest.mark.slow
def test_an_environment_of_stable_worldmodel(tmp_path: Path) -> None:
    pytest.importorskip("stable_worldmodel")
    through_every_stage(SHOWN["poles"], (64, 64, 3), tmp_path)
    env = make(find_task(tmp_path / "task.json").targets["pink"])
    for seed in range(3):
        corner = env.reset(seed=seed)[0][0, 0]
        assert np.abs(corner - np.array([255, 178.5, 178.5])).max() <= 1, (
            "the value that the file names, in every episode"
        )
    env.close()


@pytest.mark.slow
def test_an_environment_of_stable_worldmodel_from_python(tmp_path: Path) -> None:
    pytest.importorskip("stable_worldmodel")
    path = written(SHOWN["poles"], tmp_path)
    assert darla.check(path).is_usable
    images = FrameSet(darla.collect(CollectConfig(str(path), 8), tmp_path / "frames"))
    agent = darla.act(path, tmp_path / "agent", TINY_CONFIG)
    assert images.image_shape == Agent.load(agent).description.image_shape


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Frames of the grid world, which needs no display, for networks of others."""
    return darla.collect(CollectConfig("grid-world", 48), tmp_path / "frames").folder


@pytest.mark.slow
def test_a_network_of_timm_from_the_command_line_through_every_stage(frames: Path, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    encoder, agent, transfer = tmp_path / "encoder", tmp_path / "agent", tmp_path / "transfer"
    network = ("--encoder", "timm:resnet10t", "--vae.size", "64", "64")
    command_line("see", frames, *network, "--out", encoder)
    command_line("act", "grid-world", "--encoder", encoder, *TINY_ACT, "--out", agent)
    command_line("transfer", "grid-world", f"ResNet={agent}", *TINY_TRANSFER, "--out", transfer)
    command_line("report", transfer, "--out", tmp_path / "report")
    assert "frozen network timm:resnet10t" in (tmp_path / "report" / "report.html").read_text()
    command_line("collect", "sprites", "--frames", "60", "--out", tmp_path / "sprites")  # whose factors are known
    command_line("see", tmp_path / "sprites", *network, "--out", tmp_path / "of-sprites")
    command_line("metrics", tmp_path / "of-sprites", "--names", "mig", "--out", tmp_path / "metrics")


@pytest.mark.slow
def test_a_network_of_timm_from_python(frames: Path, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    encoder = darla.see(frames, tmp_path / "encoder", frozen("timm:resnet10t", size=(64, 64)))
    agent = darla.act("grid-world", tmp_path / "agent", TINY_CONFIG, encoder=encoder)
    config = TransferConfig(episodes=2, snapshot_eval_episodes=0, strip_frames=0)
    scores = darla.transfer("grid-world", [("ResNet", agent)], tmp_path / "transfer", config)
    assert {row["method"] for row in scores.rows()} == {"random", "ResNet"}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["qrdqn", "trpo", "recurrent_ppo"])
def test_an_algorithm_of_sb3_contrib_from_the_command_line(algorithm: str, tmp_path: Path) -> None:
    """From Python: tests/agents/test_more_algorithms.py."""
    pytest.importorskip("sb3_contrib")
    short = (
        ("--settings.learning-starts", "32", "--settings.buffer-size", "200")
        if algorithm == "qrdqn"
        else ("--settings.n-steps", "16")
    )
    act = ("--env-steps", "64", "--snapshots", "1", "--settings.n-envs", "2", "--settings.batch-size", "16", *short)
    hallways = written(SHOWN["hallways"], tmp_path)
    command_line("act", hallways, "--algorithm", algorithm, *act, "--out", tmp_path / "agent")
    table = command_line(
        *("transfer", hallways, f"theirs={tmp_path / 'agent'}", *TINY_TRANSFER, "--out", tmp_path / "transfer")
    )
    assert "theirs" in table.stdout


def test_the_tasks_of_the_page_can_be_read(tmp_path: Path) -> None:
    assert set(SHOWN) >= {"corridors", "tinted corridors", "poles", *(name for _, name, _ in STRANGERS)}
    for shown in SHOWN.values():
        assert find_task(str(written(shown, tmp_path))).name == shown["name"]
