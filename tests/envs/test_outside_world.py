"""A world of another package: three files, no line of darla changed, and every stage takes it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darla.common.files import read_json
from darla.envs.frames.frame_set import FrameSet

ENV = '''
import colorsys

import gymnasium
import numpy as np


class Squares(gymnasium.Env):
    """A square walks to the middle of an image; +1 for arriving, -1 for leaving the image."""

    def __init__(self):
        self.observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.context = {"ground_hue": 0.0, "square_hue": 0.5, "time": "day"}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.context = (options or {}).get("context", self.context)
        self.steps, self.place = 0, self.np_random.integers(0, 8, 2)
        return self.image(), self.info()

    def step(self, action):
        self.steps += 1
        self.place = self.place + np.array([(1, 0), (-1, 0), (0, 1), (0, -1)][int(action)])
        left = bool((self.place < 0).any() or (self.place > 7).any())
        arrived = bool((self.place == 4).all())
        self.place = self.place.clip(0, 7)
        return self.image(), float(arrived) - float(left), arrived or left, self.steps >= 12, self.info()

    def image(self):
        light = 0.9 if self.context["time"] == "day" else 0.4
        image = np.empty((64, 64, 3), np.uint8)
        image[:] = np.round(255 * np.array(colorsys.hsv_to_rgb(self.context["ground_hue"], 0.5, light)))
        row, column = self.place * 8
        image[row : row + 8, column : column + 8] = np.round(
            255 * np.array(colorsys.hsv_to_rgb(self.context["square_hue"], 1.0, light))
        )
        return image

    def info(self):
        row, column = self.place.tolist()
        half = "upper" if row < 4 else "lower"
        return {"state": {"row": float(row), "column": float(column), "half": half,
                          "angle": float(np.arctan2(row - 4, column - 4)), "vector": [row / 8, column / 8]}}
'''

WORLD = """
import gymnasium

from darla.envs import Fact, Factor, FactorSpace, World, register_world

gymnasium.register("outside/Squares-v0", entry_point="outside_squares.env:Squares")
SQUARES = register_world(World(
    "squares",
    "outside/Squares-v0",
    FactorSpace([
        Factor("ground_hue", "circular", 0.0),
        Factor("square_hue", "circular", 0.5),
        Factor("time", "discrete", "day", choices=("day", "night")),
    ]),
    facts=(
        Fact("half", "class", ("upper", "lower")),
        Fact("row", "number"),
        Fact("column", "number"),
        Fact("angle", "angle", unit="rad"),
    ),
    random_start={},
))
"""

TASK = """
from darla.envs import Domain, TransferTask, Uniform, tasks
from outside_squares.world import SQUARES


def domain(name, *components):
    return Domain(name, components, world=SQUARES)


SOURCE = {"ground_hue": 0.0}, {"ground_hue": 0.2, "square_hue": 0.7}
tasks.register(TransferTask(
    "squares",
    domain("unlabeled", {"ground_hue": Uniform(0.9, 1.5)}),
    domain("source", *SOURCE),
    domain("validation", *SOURCE),
    {
        "other pair": domain("other pair", {"ground_hue": 0.2, "square_hue": 0.5}),
        "other ground": domain("other ground", {"ground_hue": 0.4}),
        "night": domain("night", {"ground_hue": 0.0, "time": "night"}),
    },
))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a distribution with an environment, a world and a task, offered by entry points."""
    site = tmp_path_factory.mktemp("site")
    package, info = site / "outside_squares", site / "outside_squares-1.0.dist-info"
    package.mkdir(), info.mkdir()
    for name, text in (("__init__", ""), ("env", ENV), ("world", WORLD), ("task", TASK)):
        (package / f"{name}.py").write_text(text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-squares\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[darla.worlds]\nsquares = outside_squares.world\n[darla.tasks]\nsquares = outside_squares.task\n"
    )
    return site


def python(site: Path, *words: str) -> str:
    """Run Python with the distribution installed, and return what it prints."""
    path = os.pathsep.join([str(site), *(part for part in sys.path if part)])
    run = subprocess.run(
        [sys.executable, *words], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


STAGES = """
import json
import sys
from pathlib import Path

import numpy as np

import darla
from darla.agents import ActConfig, PPOSettings
from darla.analysis.latent_drift import latent_drift
from darla.envs import tasks
from darla.envs.frames.frame_set import FrameSet
from darla.envs.paired_rendering import render_pairs
from darla.vision import SeeConfig, probe
from darla.zero_shot import TransferConfig

out = Path(sys.argv[1])
see = SeeConfig().change(latent_dim=4, training__steps=4, training__batch_size=16)
encoder = darla.see(out / "frames", out / "encoder", see)
settings = PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1)
agent = darla.act("squares", out / "agent", ActConfig(env_steps=64, settings=settings, snapshots=1), encoder=encoder)
on_state = ActConfig(env_steps=64, settings=settings, snapshots=1, observation="state")
on_state = darla.act("squares", out / "on state", on_state)
config = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=1, strip_frames=3, resamples=50)
darla.transfer("squares", [("codes", agent), ("state", on_state)], out / "transfer", config)

state = {name: values.repeat(4) for name, values in FrameSet.open(out / "frames").state.items()}
codes = np.column_stack([values.astype(float) for values in state.values()])
task = tasks.get("squares")
pairs = render_pairs(task.source, task.targets["night"], 8, seed=0)
results = {
    "probes": {name: entry for name, entry in probe(codes, state, 0, steps=100).items() if isinstance(entry, dict)},
    "drift": {name: drift.relative for name, drift in latent_drift(encoder, task, states=16).items()},
    "brighter": [int(image.max()) for image in (pairs.source, pairs.target)],
}
(out / "results.json").write_text(json.dumps(results))
"""


@pytest.fixture(scope="module")
def runs(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefacts of all stages."""
    out = tmp_path_factory.mktemp("runs")
    collect = f"collect squares --out {out}/frames --frames 150 --shard-size 50 --workers 2"
    python(installed, "-m", "darla", *collect.split())
    python(installed, "-c", STAGES, str(out))
    return out


def test_frames_have_the_factors_and_facts_of_the_world(runs: Path) -> None:
    frames = FrameSet.open(runs / "frames")
    assert frames.domain["world"] == "squares"
    assert frames.factor_space is not None
    assert list(frames.factor_space) == ["ground_hue", "square_hue", "time"]
    assert set(frames.contexts) == {"ground_hue", "square_hue", "time"}
    hues = frames.contexts["ground_hue"]
    assert ((hues >= 0.9) | (hues <= 0.5)).all()
    assert np.ptp(hues) > 0.9
    assert set(frames.state) == {"half", "row", "column", "angle_sin", "angle_cos"}
    assert (frames.state["half"] == (frames.state["row"] >= 4)).all()
    # The image shows the state: the square's color is that of the pixel in its place.
    corner = frames[:][np.arange(150), (frames.state["row"] * 8).astype(int), (frames.state["column"] * 8).astype(int)]
    assert (corner == [0, 230, 230]).all()


def test_codes_are_probed_for_the_facts_of_the_world(runs: Path) -> None:
    probes = read_json(runs / "results.json")["probes"]
    measures = {name: entry["measure"] for name, entry in probes.items()}
    assert measures.pop("half") == "balanced accuracy"
    assert measures == dict.fromkeys(("row", "column", "angle_sin", "angle_cos"), "R2")
    assert all(entry["linear"] > 0.95 for entry in probes.values())


def test_leak_levels_follow_from_its_factors(runs: Path) -> None:
    levels = {entry["name"]: entry.get("leak") for entry in read_json(runs / "transfer" / "scores.json")["domains"]}
    assert {name: levels[name] for name in ("other pair", "other ground", "night")} == {
        "other pair": "conjunction",
        "other ground": "visual",
        "night": "none",
    }


def test_film_strips_show_other_looks_of_the_same_state(runs: Path) -> None:
    strips = read_json(runs / "transfer" / "scores.json")["strips"]
    assert len(list((runs / "transfer" / "strips").glob("*.png"))) == len(strips) == 6
    for strip in strips:
        source, target = strip["source_episode"]["context"], strip["target_episode"]["context"]
        # Of both source components the one that shares more with the target is filmed.
        assert (source["square_hue"], target["square_hue"]) == (0.5, 0.5)
        assert source != target


def test_latent_drift_is_measured_in_every_target(runs: Path) -> None:
    results = read_json(runs / "results.json")
    assert set(results["drift"]) == {"other pair", "other ground", "night"}
    assert all(np.isfinite(value) and value > 0 for value in results["drift"].values())
    day, night = results["brighter"]
    assert (day, night) == (230, 102)  # 0.9 and 0.4 of 255


def test_a_task_in_json_names_the_world(installed: Path, tmp_path: Path) -> None:
    task = {
        "name": "evening",
        "world": "squares",
        "unlabeled": {"components": [{"ground_hue": {"uniform": [0.0, 0.5]}}]},
        "source": {"components": [{}]},
        "targets": {"night": {"components": [{"time": "night"}]}},
    }
    (tmp_path / "task.json").write_text(json.dumps(task))
    program = """
import sys
from darla.envs import leak_level
from darla.envs.domains.task_files import find_task, task_from_dict
task = find_task(sys.argv[1])
assert task_from_dict(task.to_dict()) == task
print(task.source.world.name, leak_level(task, "night"))
"""
    assert python(installed, "-c", program, str(tmp_path / "task.json")) == "squares none\n"
