"""Collecting frames: the same bytes however they are made, and nothing half-written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from command_line import hear_ctrl_c

from darla.common import Artefact, InputError, is_complete
from darla.common.files import read_json, write_json
from darla.common.jobs.sealed import write_sealed
from darla.envs import SEEK_AVOID, Domain, EnvDomain, make, tasks
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet, shard_path
from darla.envs.image_data.registry import image_data

SMALL = CollectConfig(frames=50, shard_size=20, seed=3)


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in an artefact but its card, which tells times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "card.json"
    }


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> FrameSet:
    return FrameSet(collect(SMALL, tmp_path_factory.mktemp("frames") / "set"))


def test_a_set_holds_what_was_asked_for(frames: FrameSet) -> None:
    assert len(frames) == 50
    images = frames[:]
    assert images.shape == (50, 64, 64, 3)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 50
    assert frames.contexts["wall_hue"].shape == (50,)
    assert set(frames.contexts["object_set"]) == {"A", "B"}
    assert set(frames.state) == {"kind", "bearing", "distance", "visible"}
    seen = frames.state["visible"]
    assert (frames.state["kind"][~seen] == -1).all()
    assert set(frames.state["kind"][seen]) <= set(range(len(frames.facts[0].values)))
    assert frames.factor_space == SEEK_AVOID.space
    assert frames.facts == SEEK_AVOID.facts
    assert (frames.state["distance"][seen] > 0).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shards", "x"), ("shards", [20, 20, 9]), ("shards", []), ("image_shape", 5), ("facts", [[]]), ("factors", 3),
        ("unit", {"kind": "x", "size": 1, "parts": []}), ("unit", {"kind": "pair", "size": 7, "parts": []}), ("", -2),
    ],
)  # fmt: skip
def test_an_index_of_another_form_is_damaged(name: str, value: object, frames: FrameSet, tmp_path: Path) -> None:
    copied = shutil.copytree(frames.artefact.folder, tmp_path / "copied")
    index = read_json(copied / "index.json")
    write_json(copied / "index.json", {**index, name: value} if name else value)
    with pytest.raises(InputError, match=r"index\.json is damaged|images\.npy holds"):
        FrameSet(replace(frames.artefact, folder=copied))  # as if its hashes had been renewed


def test_frames_are_found_by_any_kind_of_index(frames: FrameSet) -> None:
    images = frames[:]
    order = np.array([49, 0, 21, 19, 20, -1, 0])
    np.testing.assert_array_equal(frames[order], images[order])
    np.testing.assert_array_equal(frames[45:], images[45:])
    np.testing.assert_array_equal(frames[40:10:-7], images[40:10:-7])
    np.testing.assert_array_equal(frames[7], images[7])
    assert frames[[]].shape == (0, 64, 64, 3)
    with pytest.raises(IndexError):
        frames[50]
    with pytest.raises(TypeError):
        frames[[0.5]]  # type: ignore[list-item]


def test_a_frame_shows_its_context(frames: FrameSet) -> None:
    # Drawn again from the published seed of the frame, the context and the picture are the same.
    from darla.common import seed_for

    env = make(tasks.get("conjunction").unlabeled)
    image, info = env.reset(seed=seed_for(3, "frame", 33))
    np.testing.assert_array_equal(frames[33], image)
    assert frames.contexts["floor_hue"][33] == info["context"]["floor_hue"]
    env.close()


def test_frames_show_nothing_of_hues_that_the_domain_leaves_out(frames: FrameSet) -> None:
    hues = np.concatenate([frames.contexts["wall_hue"], frames.contexts["floor_hue"]])
    assert not ((hues > 0.70) & (hues < 0.90)).any()


def test_a_frame_depends_on_its_number_alone(frames: FrameSet, tmp_path: Path) -> None:
    longer = FrameSet(collect(CollectConfig(frames=60, shard_size=7, seed=3), tmp_path / "set"))
    np.testing.assert_array_equal(longer[:50], frames[:])
    other = FrameSet(collect(CollectConfig(frames=50, shard_size=20, seed=4), tmp_path / "other"))
    assert not (other[:] == frames[:]).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("sampling", ["uniform", "random_policy"])
def test_the_number_of_workers_changes_no_byte(sampling: str, tmp_path: Path) -> None:
    config = CollectConfig(frames=50, shard_size=20, seed=3, sampling=sampling)  # type: ignore[arg-type]
    alone = collect(config, tmp_path / "alone", workers=1)
    together = collect(config, tmp_path / "together", workers=2)
    assert alone.digest == together.digest
    assert contents(tmp_path / "alone") == contents(tmp_path / "together")


def test_tasks_that_share_a_domain_share_its_frames(frames: FrameSet, tmp_path: Path) -> None:
    same = collect(CollectConfig(task="recolor", frames=50, shard_size=20, seed=3), tmp_path / "set")
    assert same.digest == frames.digest


def test_a_random_walk_keeps_every_nth_view_of_an_episode(tmp_path: Path) -> None:
    config = CollectConfig(frames=40, shard_size=40, sampling="random_policy", stride=5)
    walk = FrameSet(collect(config, tmp_path / "walk"))
    # 150 steps an episode: the first view and thirty more, then another context.
    hues = walk.contexts["wall_hue"]
    assert len(set(hues[:31])) == 1
    assert hues[31] != hues[30]
    assert len({image.tobytes() for image in walk[:31]}) > 20


def test_any_gymnasium_environment_with_images_can_be_collected(tmp_path: Path) -> None:
    domain = EnvDomain("rooms", "darla/SeekAvoid-v0", ({"resolution": 32}, {"resolution": 32, "steps": 9}))
    config = CollectConfig(frames=30, shard_size=15, sampling="random_policy", stride=3)
    rooms = FrameSet(collect(config, tmp_path / "rooms", domain=domain, workers=2))
    assert rooms.image_shape == (32, 32, 3)
    assert rooms.state == {}
    assert rooms.facts == ()
    assert rooms.factor_space is None
    assert set(rooms.contexts["env_id"]) == {"darla/SeekAvoid-v0"}
    with pytest.raises(InputError, match="random_policy"):
        collect(CollectConfig(frames=30, sampling="uniform"), tmp_path / "uniform", domain=domain)


def test_defaults_fit_what_is_asked_for() -> None:
    room, walk = tasks.get("conjunction").unlabeled, EnvDomain("walk", "darla-test/Tinted-v0")
    sprites = image_data("sprites")
    given = [
        ({}, room, (40_000, "uniform", 1_000)),
        ({}, walk, (40_000, "random_policy", 1_000)),
        ({}, sprites, (40_000, "uniform", 1_000)),
        ({"sampling": "grid"}, sprites, (737_280, "grid", 1_000)),
        ({"stride": 3}, room, (40_000, "random_policy", 1_000)),
        ({"unit": "transition"}, room, (40_000, "random_policy", 1_000)),
        ({"unit": "group", "group_size": 7}, sprites, (39_998, "uniform", 994)),
        ({"unit": "group", "group_size": 1_500}, sprites, (39_000, "uniform", 1_500)),
        ({"frames": 30}, walk, (30, "random_policy", 1_000)),
    ]
    for options, domain, expected in given:
        config = CollectConfig(**options).resolved(domain)  # type: ignore[arg-type]
        assert (config.frames, config.sampling, config.shard_size) == expected, options
        assert config.resolved(domain) == config


class Tinted(gymnasium.Env[np.ndarray, int]):
    """A plain image whose gray value is a keyword."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 4, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, tint: int = 0, limit: int = 3) -> None:
        self.tint, self.limit, self.t = tint, limit, 0

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        super().reset(seed=seed)
        self.t = 0
        return np.full((4, 4, 3), self.tint, np.uint8), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        self.t += 1
        return np.full((4, 4, 3), self.tint, np.uint8), 0.0, False, self.t >= self.limit, {}


gymnasium.register("darla-test/Tinted-v0", entry_point=Tinted, disable_env_checker=True)


@pytest.mark.parametrize("shard_size", [2, 64])
def test_variants_that_name_different_keywords_have_all_of_them_as_factors(shard_size: int, tmp_path: Path) -> None:
    domain = EnvDomain("mixed", "darla-test/Tinted-v0", ({}, {"tint": 90}, {"tint": 160, "limit": 10}))
    config = CollectConfig(frames=64, sampling="random_policy", stride=1, shard_size=shard_size)
    frames = FrameSet.open(collect(config, tmp_path / "frames", domain=domain).folder)
    assert list(frames.contexts) == ["env_id", "tint", "limit"]
    tints, limits = frames.contexts["tint"], frames.contexts["limit"]
    assert set(zip(tints, limits, strict=True)) == {("not set", "not set"), ("90", "not set"), ("160", "10")}
    np.testing.assert_array_equal(np.where(tints == "not set", "0", tints).astype(int), frames[:][:, 0, 0, 0])


def test_a_keyword_that_every_variant_names_with_a_number_is_a_number(tmp_path: Path) -> None:
    domain = EnvDomain("numbers", "darla-test/Tinted-v0", ({"tint": 10}, {"tint": 20.5, "limit": 4}))
    config = CollectConfig(frames=8, sampling="random_policy", stride=1, shard_size=2)
    frames = FrameSet.open(collect(config, tmp_path / "frames", domain=domain).folder)
    assert frames.contexts["tint"].dtype == np.float64
    assert frames.contexts["limit"].dtype.kind == "U"


def test_one_context_is_a_domain(tmp_path: Path) -> None:
    red = Domain("red", ({"wall_hue": 0.0},), world=SEEK_AVOID)
    frames = FrameSet(collect(CollectConfig(frames=5), tmp_path / "red", domain=red))
    assert set(frames.contexts["wall_hue"]) == {0.0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sampling": "unifrom"}, "did you mean 'uniform'"),
        ({"frames": 0}, "frames is 0"),
        ({"shard_size": -1}, "shard_size is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"stride": 4, "sampling": "uniform"}, "stride is for sampling 'random_policy'"),
        ({"stride": 0, "sampling": "random_policy"}, "stride is 0"),
    ],
)
def test_a_configuration_that_cannot_be_met_is_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CollectConfig(**arguments)  # type: ignore[arg-type]


def test_unknown_task_and_occupied_folder_are_refused(frames: FrameSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'conjunction'"):
        collect(CollectConfig(task="conjuction"), tmp_path / "set")
    with pytest.raises(InputError, match="seed was 3 and is now 4"):
        collect(CollectConfig(frames=50, shard_size=20, seed=4), frames.artefact.folder)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    with pytest.raises(InputError, match="not empty"):
        collect(SMALL, tmp_path / "thesis")
    with pytest.raises(InputError, match="workers is 0"):
        collect(SMALL, tmp_path / "set", workers=0)


@pytest.mark.parametrize("harm", ["truncated", "altered", "missing", "longer"])
@pytest.mark.parametrize("part", ["images", "factors", "state"])
def test_a_damaged_set_is_refused(harm: str, part: str, tmp_path: Path) -> None:
    folder = collect(CollectConfig(frames=8, shard_size=5), tmp_path / "set").folder
    path = shard_path(folder, 1, part)
    data = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "truncated":
        path.write_bytes(data[:-7])
    elif harm == "longer":
        path.write_bytes(data + b"more")
    else:
        data[-1] ^= 1
        path.write_bytes(data)
    with pytest.raises(InputError, match=rf"00001\.{part}\.npy"):
        FrameSet.open(folder)


def test_an_unfinished_set_is_refused(tmp_path: Path) -> None:
    folder = collect(SMALL, tmp_path / "set").folder
    (folder / "card.json").unlink()
    with pytest.raises(InputError, match="not a finished artefact"):
        FrameSet.open(folder)
    with pytest.raises(InputError, match="no such folder"):
        FrameSet.open(tmp_path / "nowhere")


def test_a_finished_set_is_not_drawn_again(tmp_path: Path) -> None:
    first = collect(SMALL, tmp_path / "set")
    times = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.npy")}
    again = collect(SMALL, tmp_path / "set", workers=2)
    assert again.digest == first.digest
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.npy")} == times


def start(out: Path, workers: int, frames: int = 240) -> subprocess.Popen[bytes]:
    options = [
        "--frames",
        str(frames),
        "--shard-size",
        "12",
        "--seed",
        "5",
        "--workers",
        str(workers),
        "--out",
        str(out),
    ]
    # A session of its own: whatever it leaves behind can be found by it.
    return subprocess.Popen(
        [sys.executable, "-m", "darla", "collect", "conjunction", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )


def members(session: int) -> list[int]:
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                children.append(int(entry.name))
    return children


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_resumed_equals_uninterrupted(workers: int, tmp_path: Path) -> None:
    whole = collect(CollectConfig(frames=240, shard_size=12, seed=5), tmp_path / "whole")
    interrupted, moments = tmp_path / "interrupted", np.random.default_rng(workers)
    for _ in range(3):
        process = start(interrupted, workers)
        enough = len(list(interrupted.glob("shards/*.images.npy"))) + int(moments.integers(1, 5))
        while process.poll() is None and len(list(interrupted.glob("shards/*.images.npy"))) < enough:
            time.sleep(0.001)
        time.sleep(float(moments.uniform(0.0, 0.03)))
        assert process.poll() is None
        assert not is_complete(interrupted)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        deadline = time.monotonic() + 60
        while members(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not members(process.pid), "worker processes outlived the one that was killed"
    last = start(interrupted, workers)
    _, errors = last.communicate()
    assert last.returncode == 0, errors.decode()
    assert Artefact.load(interrupted).digest == whole.digest
    assert contents(interrupted) == contents(tmp_path / "whole")
    assert not list(interrupted.rglob("*.partial"))


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path / "set", 2, frames=6000)  # more than can be drawn before the signal arrives
    while not list((tmp_path / "set").glob("shards/*.images.npy")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 130, errors.decode()
    assert errors.decode().splitlines()[-1] == "darla collect: stopped; the same command resumes where it stopped"
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("damage", ["flipped byte", "shard without factors", "altered record"])
def test_a_shard_that_was_damaged_between_two_runs_is_drawn_again(tmp_path: Path, damage: str, capsys) -> None:
    config = CollectConfig(task="sprites", frames=60, shard_size=20, seed=3)
    whole = collect(config, tmp_path / "whole")
    collect(config, tmp_path / "part")
    part = tmp_path / "part"
    # As an interruption leaves it after the second shard.
    (part / "card.json").unlink()
    (part / "index.json").unlink()
    for path in (part / "shards").glob("00002.*"):
        path.unlink()
    for shard in range(2):
        files = list((part / "shards").glob(f"0000{shard}.*"))
        write_sealed(part / "checkpoint" / f"shard-0000{shard}.json", 20, files)
    images = part / "shards" / "00001.images.npy"
    if damage == "flipped byte":
        content = bytearray(images.read_bytes())
        content[-1] ^= 255
        images.write_bytes(content)
    elif damage == "shard without factors":
        (part / "shards" / "00001.factors.npy").unlink()
    else:
        (part / "checkpoint" / "shard-00001.json").write_text("{}")
    assert collect(config, part).digest == whole.digest
    assert "shard 1 is drawn again" in capsys.readouterr().err
