"""What a stage writes to TensorBoard, read back from each tracker with the tracker's own reader."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import darla
from darla.common import Artefact, InputError
from darla.common.artefact import complete_artefact, start_artefact
from darla.common.tracking.event_files import open_event_writer
from darla.common.tracking.trackers import TRACKERS, chosen_tracker

CONFIG = {"seed": 0, "vae": {"beta": 4.0}}
Scalars = dict[str, list[tuple[int, float]]]
GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the stores of trackers; MLflow takes seconds to make one."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def offline(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the trackers up to need no network, as their users do."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store / 'mlflow.db'}")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(store))
    monkeypatch.chdir(store)


@pytest.fixture(params=sorted(TRACKERS))
def tracker(request: pytest.FixtureRequest) -> str:
    """A tracker that is installed."""
    pytest.importorskip(request.param)
    return str(request.param)


def of_tensorboard(folder: Path) -> Scalars:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def of_mlflow(note: Mapping[str, Any]) -> Scalars:
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(note["run_id"])
    return {
        name: [(each.step, each.value) for each in client.get_metric_history(note["run_id"], name)]
        for name in run.data.metrics
    }


def of_wandb(note: Mapping[str, Any], store: Path) -> Scalars:
    """Read the offline files of a run as `wandb leet` does, which is what the package has for reading them."""
    found: Scalars = {}
    for path in sorted(store.glob(f"wandb/offline-run-*-{note['run_id']}/*.wandb")):
        command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        for line in done.stdout.splitlines():
            item = json.loads(line).get("history", {}).get("item", {})
            for name, value in item.items():
                if not name.startswith("_") and name != "global_step" and isinstance(value, int | float):
                    found.setdefault(name, []).append((item["global_step"], float(value)))
    # The numbers that describe a picture or a table are no scalars.
    described = {name.rpartition(".")[0] for name in found if name.endswith((".size", ".nrows"))}
    return {name: points for name, points in found.items() if name.rpartition(".")[0] not in described}


def scalars_of(tracker: str, folder: Path, store: Path) -> Scalars:
    note = json.loads((folder / "tensorboard" / f"{tracker}.json").read_text())
    return of_mlflow(note) if tracker == "mlflow" else of_wandb(note, store)


def begin(folder: Path) -> Path:
    return start_artefact(folder, "album", CONFIG)


def test_each_tracker_gives_back_the_scalars_of_tensorboard(tracker: str, tmp_path: Path, store: Path) -> None:
    folder = begin(tmp_path / "runs" / "encoder")
    with darla.tracking(tracker):
        writer = open_event_writer(folder / "tensorboard", None)
        for step in (10, 20, 30):
            writer.add_scalar("train/loss", 1.0 / step, step)
            writer.add_scalar("kl_per_latent/z00", step / 8, step)
        writer.add_picture("reconstructions", np.zeros((4, 6, 3), np.uint8), 30)
        writer.add_film("episode", GIF, 30)
        writer.add_table("table", ("factor", "score"), [("hue", 0.5), ("kind", None)], 30)
        writer.close()
    expected = of_tensorboard(folder)
    assert set(expected) == {"train/loss", "kl_per_latent/z00"}
    found = scalars_of(tracker, folder, store)
    same(found, expected)


def same(found: Scalars, expected: Scalars) -> None:
    """Compare steps and values; TensorBoard keeps float32."""
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        np.testing.assert_allclose(found[tag], points, rtol=1e-6, err_msg=tag)


def test_a_resumed_stage_continues_its_run(tracker: str, tmp_path: Path, store: Path) -> None:
    folder = begin(tmp_path / "runs" / "encoder")
    with darla.tracking(tracker):
        for steps in ((1, 2), (3, 4)):
            writer = open_event_writer(folder / "tensorboard", steps[0])
            for step in steps:
                writer.add_scalar("train/loss", 1.0 / step, step)
            writer.close()
            note = (folder / "tensorboard" / f"{tracker}.json").read_text()
            time.sleep(1.1)  # the offline files of Weights & Biases are named by the second
    assert json.loads(note) == json.loads((folder / "tensorboard" / f"{tracker}.json").read_text())
    same(scalars_of(tracker, folder, store), {"train/loss": [(step, 1.0 / step) for step in (1, 2, 3, 4)]})
    made = complete_artefact(folder, "album", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    assert made.card["tracked"] == {tracker: json.loads(note)}
    assert Artefact.load(folder).digest == made.digest


def test_a_run_that_is_gone_from_the_store_is_begun_anew(tmp_path: Path, store: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    folder = begin(tmp_path / "runs" / "encoder")
    path = folder / "tensorboard" / "mlflow.json"
    for _ in range(2):
        with darla.tracking("mlflow"):
            writer = open_event_writer(folder / "tensorboard", None)
            writer.add_scalar("train/loss", 2.0, 1)
            writer.close()
        same(scalars_of("mlflow", folder, store), {"train/loss": [(1, 2.0)]})
        if len(list(path.parent.glob("events*"))) == 1:
            mlflow.MlflowClient().delete_run(json.loads(path.read_text())["run_id"])


def test_pictures_films_and_tables_are_in_the_store_of_mlflow(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    folder = begin(tmp_path / "runs" / "encoder")
    with darla.tracking("mlflow"):
        writer = open_event_writer(folder / "tensorboard", None)
        writer.add_picture("sheet", np.full((4, 6, 3), 9, np.uint8), 7)
        writer.add_film("episode", GIF, 7)
        writer.add_table("table", ("factor", "score"), [("hue", 0.5), ("kind", None)], 7)
        writer.close()
    run_id = json.loads((folder / "tensorboard" / "mlflow.json").read_text())["run_id"]
    client = mlflow.MlflowClient()
    files = {each.path for name in ("", "sheet", "episode") for each in client.list_artifacts(run_id, name)}
    assert {"sheet/000000007.png", "episode/000000007.gif", "table.json"} <= files
    run = client.get_run(run_id)
    assert run.info.run_name == "runs/encoder"
    assert run.data.params["vae.beta"] == "4.0"
    assert run.data.tags["kind"] == "album"
    assert run.info.status == "FINISHED"
    table = client.load_table(run.info.experiment_id, "table.json", run_ids=[run_id])
    assert table["factor"].tolist() == ["hue", "kind"]


def test_tensorboard_has_pictures_films_and_tables(tmp_path: Path) -> None:
    folder = begin(tmp_path / "encoder")
    writer = open_event_writer(folder / "tensorboard", None)
    writer.add_picture("sheet", np.full((4, 6, 3), 9, np.uint8), 7)
    writer.add_film("episode", GIF, 7)
    writer.add_table("table", ("factor", "score"), [("a|b", 0.123456), ("kind", None)], 7)
    writer.close()
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert events.Images("episode")[0].encoded_image_string == GIF
    assert (events.Images("sheet")[0].width, events.Images("sheet")[0].height) == (6, 4)
    (text,) = events.Tensors("table/text_summary")
    lines = text.tensor_proto.string_val[0].decode().splitlines()
    assert lines == ["| factor | score |", "| --- | --- |", "| a\\|b | 0.1235 |", "| kind |  |"]


@pytest.mark.parametrize("moment", ["begin", "log", "end"])
def test_a_tracker_that_fails_costs_a_warning_and_nothing_else(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A tracker of its own, installed as a package on the path, that fails at one moment.
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FAILS_AT", moment)
    monkeypatch.setattr("darla.common.tracking.trackers.TRACKERS", {"failing": "failing:Failing"})
    folder = begin(tmp_path / "encoder")
    with darla.tracking("failing"):
        writer = open_event_writer(folder / "tensorboard", None)
        for step in (1, 2, 3):
            writer.add_scalar("train/loss", 1.0, step)
            writer.flush()
        writer.close()
    assert of_tensorboard(folder) == {"train/loss": [(step, 1.0) for step in (1, 2, 3)]}
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [f"failing is left out, TensorBoard has everything (OSError: no network at {moment})"]


def test_a_branch_is_a_run_of_tensorboard_and_a_prefix_in_a_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "printing.py").write_text(PRINTING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("darla.common.tracking.trackers.TRACKERS", {"printing": "printing:Printing"})
    folder = begin(tmp_path / "transfer")
    with darla.tracking("printing"):
        writer = open_event_writer(folder / "tensorboard", None)
        for seed in (0, 1):
            branch = writer.branch(f"DARLA/seed{seed}")
            branch.add_scalar("eval/mean_reward", float(seed), 5)
            branch.close()
        writer.close()
    assert capsys.readouterr().out.splitlines() == [
        "{'DARLA/seed0/eval/mean_reward': 0.0}",
        "{'DARLA/seed1/eval/mean_reward': 1.0}",
        "closed",
    ]
    events = EventAccumulator(str(folder / "tensorboard" / "DARLA" / "seed1")).Reload()
    assert [(each.step, each.value) for each in events.Scalars("eval/mean_reward")] == [(5, 1.0)]


PRINTING = """
class Printing:
    def __init__(self, run, known):
        pass

    @staticmethod
    def prepare():
        pass

    def identity(self):
        return {"run_id": "1"}

    def log_scalars(self, step, values):
        print(values)

    def close(self, *, failed):
        print("closed")
"""


FAILING = """
import os

def fail(moment):
    if os.environ["FAILS_AT"] == moment:
        raise OSError(f"no network at {moment}")

class Failing:
    def __init__(self, run, known):
        fail("begin")

    @staticmethod
    def prepare():
        pass

    def identity(self):
        return {"run_id": "1"}

    def log_scalars(self, step, values):
        fail("log")

    def close(self, *, failed):
        fail("end")
"""


def test_a_tracker_that_is_unknown_or_not_installed_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="unknown tracker 'wandbb'; did you mean 'wandb'"), darla.tracking("wandbb"):
        pass
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"mlflow is not installed; pip install 'darla\[mlflow\]'"):
        darla.tracking("mlflow").__enter__()
    assert chosen_tracker() is None


def test_worker_processes_find_the_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("darla.common.tracking.trackers.TRACKERS", {"failing": "failing:Failing"})
    program = "from darla.common.tracking.trackers import chosen_tracker; print(chosen_tracker())"
    with darla.tracking("failing"):
        inside = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    after = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (inside.stdout, after.stdout) == ("failing\n", "None\n")
