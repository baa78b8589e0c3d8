"""Environments of other packages, described as the documentation does it; each test needs the package that it names.

They are slow, and skipped where their package is missing: `pip install minigrid highway-env crafter` installs three of
them; stable-worldmodel brings its own PyTorch and needs an environment of its own.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import darla as command_line

import darla
from darla.cli import main as cli
from darla.envs import EnvDomain, EnvSetup, TransferTask
from darla.envs.domains.env_setup import SETUP_PARTS
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.frame_set import FrameSet

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "own-environment.md").read_text()
BLOCKS = {language: re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
          for language in ("json", "python")}  # fmt: skip
SHOWN = {(task := json.loads(block))["name"]: task for block in BLOCKS["json"]}
"""The tasks of the page, by name."""
STRANGERS = [
    ("minigrid", "mazes", (64, 64, 3)),
    ("highway_env", "roads", (64, 160, 3)),
    ("miniworld", "hallways", (64, 80, 3)),
]
TINY_SEE = ("--preset", "beta-1", "--training.steps", "4", "--training.batch-size", "16", "--vae.latent-dim", "4")
TINY_ACT = ("--env-steps", "128", "--snapshots", "1", "--settings.n-envs", "2", "--settings.n-steps", "16",
            "--settings.batch-size", "16")  # fmt: skip


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
    task, run = written(SHOWN[name], tmp_path), tmp_path / "runs"
    assert f"{name} can be used" in command_line("check", task).stdout
    command_line("collect", task, "--frames", "48", "--shard-size", "24", "--workers", "2", "--out", run / "frames")
    frames = FrameSet.open(run / "frames")
    assert frames.image_shape == shape
    assert frames[:].std() > 5
    command_line("see", run / "frames", *TINY_SEE, "--out", run / "encoder")
    command_line("act", task, "--encoder", run / "encoder", *TINY_ACT, "--out", run / "agent")
    command_line(
        "transfer", task, f"DARLA={run / 'agent'}", "--episodes", "2", "--strip-frames", "4", "--out", run / "transfer"
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
        return EnvDomain(role, shown["env_id"], tuple(described["variants"]), setup=setup)

    source = domain("source", shown["source"])
    targets = {target: domain(target, described) for target, described in shown["targets"].items()}
    task = TransferTask(name, domain("unlabeled", shown["unlabeled"]), source, source, targets)
    checked = darla.check(task)
    assert checked.is_usable, str(checked)
    frames = darla.collect(CollectConfig(frames=12, sampling="random_policy"), tmp_path / "frames", task=task)
    assert FrameSet(frames).image_shape == shape


@pytest.mark.slow
def test_crafter_with_the_class_of_the_page(tmp_path: Path) -> None:
    pytest.importorskip("crafter")
    code = next(block for block in BLOCKS["python"] if "import crafter" in block)
    (tmp_path / "my_crafter.py").write_text(code)
    task = {"name": "survival", "env_id": "my_crafter:Crafter", "unlabeled": {}, "source": {}, "targets": {"same": {}}}
    path = written(task, tmp_path)
    shown = command_line("check", path)
    assert "survival can be used" in shown.stdout
    assert "warning" not in shown.stdout  # its seed decides everything
    command_line("collect", path, "--frames", "12", "--workers", "1", "--out", tmp_path / "frames")
    assert FrameSet.open(tmp_path / "frames").image_shape == (64, 64, 3)
    command_line("act", path, *TINY_ACT, "--out", tmp_path / "agent")


@pytest.mark.slow
def test_an_environment_of_stable_worldmodel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("stable_worldmodel")
    path = written(SHOWN["poles"], tmp_path)
    assert cli.main(["check", str(path)]) == 0, capsys.readouterr().out
    assert cli.main(["collect", str(path), "--frames", "12", "--out", str(tmp_path / "frames")]) == 0
    frames = FrameSet.open(tmp_path / "frames")
    assert frames.image_shape == (64, 64, 3)
    assert len(np.unique(frames[:])) > 10


def test_the_tasks_of_the_page_can_be_read(tmp_path: Path) -> None:
    assert set(SHOWN) >= {"corridors", "tinted corridors", "poles", *(name for _, name, _ in STRANGERS)}
    for shown in SHOWN.values():
        assert find_task(str(written(shown, tmp_path))).name == shown["name"]
