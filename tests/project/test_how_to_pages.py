"""The pages of how-to as a newcomer follows them: the files that they show are written, and the commands given.

Every command is that of the page, with options after it that make it small.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import darla
from darla.agents import ActConfig, PPOSettings
from darla.cli.main import main
from darla.common import Artefact
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.zero_shot import TransferConfig

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
TASK = "corridors.json"
SEE = "--training.steps 4 --training.batch-size 16"
ACT = "--env-steps 64 --snapshots 1 --settings.n-envs 2 --settings.n-steps 16 --settings.batch-size 16"
SMALL = {
    "check": "",
    "collect": "--frames 64",
    "see": SEE,
    "act": ACT,
    "transfer": "--episodes 2 --snapshot-eval-episodes 0 --strip-frames 2",
    "report": "",
    "metrics": "--names mig",
}
"""Options that make a verb small."""


def shown(page: str, language: str, holding: str) -> str:
    """Return the first code block of a page in one language that holds some text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if holding in block)


def give(block: str, *verbs: str, **more: str) -> None:
    """Give the commands of a block of shell, those of some verbs or all, with `new_room` replaced by the task here."""
    for line in block.splitlines():
        _, verb, *words = shlex.split(line, comments=True)
        if not verbs or verb in verbs:
            words = [TASK if word == "new_room" else word for word in words]
            assert main([verb, *words, *shlex.split(more.get(verb, SMALL[verb]))]) == 0, line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a newcomer who has followed the page of own environments."""
    folder = tmp_path_factory.mktemp("newcomer")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        for name in ("my_corridor", "my_nets", "my_models", "my_agents", "my_algorithms"):
            patch.delitem(sys.modules, name, raising=False)
        page = "own-environment.md"
        (folder / "my_corridor.py").write_text(shown(page, "python", "class Corridor"))
        (folder / TASK).write_text(shown(page, "json", '"corridors"'))
        (folder / "tinted.json").write_text(shown(page, "json", '"tinted corridors"'))
        give(shown(page, "bash", "darla check"), see=f"--preset beta-1 {SEE}")
        yield folder
        for name in [name for name in sys.modules if name.startswith("my_")]:
            del sys.modules[name]


def test_an_environment_from_the_check_to_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (folder / "runs" / "report" / "report.html").is_file()
    assert Artefact.load("runs/agent").card["inputs"]["encoder"] == Artefact.load("runs/encoder").digest
    assert main(["check", "tinted.json"]) == 0  # the same class, in a wrapper
    assert "tinted corridors can be used" in capsys.readouterr().out


def test_in_python_a_task_file_is_a_task_in_every_stage(folder: Path, tmp_path: Path) -> None:
    assert darla.check(Path(TASK)).is_usable
    frames = darla.collect(CollectConfig(TASK, 16), tmp_path / "frames")
    by_path = darla.collect(CollectConfig("any", 16), tmp_path / "same", task=find_task(Path(TASK)))
    assert frames.digest == by_path.digest
    settings = PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1)
    agent = darla.act(TASK, tmp_path / "agent", ActConfig(env_steps=32, snapshots=1, settings=settings))
    config = TransferConfig(episodes=2, snapshot_eval_episodes=0, strip_frames=2)
    scores = darla.transfer(TASK, [("end to end", agent)], tmp_path / "transfer", config)
    assert {row["domain"] for row in scores.rows()} == {"source", "validation", "wood"}
    assert darla.film(TASK, [("end to end", agent)], tmp_path / "film.gif").stat().st_size > 0


def test_a_network_a_model_an_algorithm_and_an_agent(folder: Path) -> None:
    (folder / "my_nets.py").write_text(shown("own-encoder.md", "python", "def pooled"))
    commands = shown("own-encoder.md", "text", "my_nets:pooled").replace("runs/encoder", "runs/network")
    give(commands.replace("runs/agent", "runs/on-network"), "see", "act", see="")
    assert Artefact.load("runs/on-network").card["inputs"]["encoder"] == Artefact.load("runs/network").digest

    (folder / "my_models.py").write_text(shown("own-model.md", "python", "TwiceTheKL"))
    give(shown("own-model.md", "text", "TwiceTheKL").replace("runs/encoder", "runs/model"), "see", "metrics")
    assert Artefact.load("runs/model").config["see"]["model"] == "my_models:TwiceTheKL"

    (folder / "my_algorithms.py").write_text(shown("own-algorithm.md", "python", "class PatientPPO"))
    give(shown("own-algorithm.md", "text", "PatientPPO").replace("runs/agent", "runs/patient"), "act")
    assert Artefact.load("runs/patient").config["act"]["algorithm"] == "my_algorithms:PatientPPO"

    (folder / "my_agents.py").write_text(shown("own-agent.md", "python", "class Forward"))
    give(shown("own-agent.md", "text", "my_agents:forward").replace("runs/transfer", "runs/beside"))
    assert "straight on" in (folder / "runs" / "beside" / "scores.json").read_text()


def test_a_tracker_gets_what_tensorboard_gets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    commands = shown("tracking.md", "bash", "darla see").replace("runs/encoder", "runs/tracked")
    give(commands.replace("runs/agent", "runs/tracked-agent"), "see", "act", see=f"--preset beta-1 {SEE}")
    for name, number in (("tracked", "train/loss"), ("tracked-agent", "time/fps")):
        run_id = Artefact.load(f"runs/{name}").card["tracked"]["mlflow"]["run_id"]
        assert mlflow.MlflowClient().get_metric_history(run_id, number), number
