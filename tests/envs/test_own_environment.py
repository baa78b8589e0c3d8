"""Environments of users in task files: what is done to them, and what is refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import own_stripes
import pytest
from command_line import darla

from darla.cli import main as cli
from darla.common import InputError
from darla.common.registry import import_by_path
from darla.envs import EnvDomain, TransferTask, domain_from_dict, leak_level, make
from darla.envs.apply_setup import live
from darla.envs.domains.env_setup import EnvSetup
from darla.envs.domains.task_files import find_task, task_from_dict
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_size import fit_image, grayscale

ID = "own_stripes:darla-test/Stripes-v0"
INVERTED = {"make": {}, "wrappers": ["own_stripes:Invert"]}
SIDES = (own_stripes.HEIGHT, own_stripes.WIDTH)


def domain(*variants: dict[str, Any], env_id: str = ID, **parts: Any) -> EnvDomain:
    data = {"name": "d", "env_id": env_id, "variants": list(variants or ({},)), **parts}
    read = domain_from_dict(json.loads(json.dumps(data)))
    assert isinstance(read, EnvDomain)
    return read


def first_image(of: EnvDomain, seed: int = 3) -> Any:
    env = make(of)
    image, _ = env.reset(seed=seed)
    assert image.dtype == np.uint8
    assert env.observation_space.shape == image.shape
    env.close()
    return image


PLAIN = first_image(domain())


def test_a_class_needs_no_registration() -> None:
    assert np.array_equal(first_image(domain(env_id="own_stripes:Stripes")), PLAIN)


def test_tuples_and_imports_reach_the_environment() -> None:
    marked = make(domain({"side": {"tuple": [20, 40]}, "marker": {"import": "own_stripes:MARKER"}}))
    assert marked.unwrapped._current.unwrapped.side == (20, 40)  # type: ignore[attr-defined]
    assert marked.unwrapped._current.unwrapped.marker is own_stripes.MARKER  # type: ignore[attr-defined]


def test_arrays_reach_the_environment_and_its_reset() -> None:
    hue = np.array([255, 0, 0], np.uint8)
    own = EnvDomain("d", ID, ({"marker": hue},), setup=EnvSetup(reset_options={"values": {"hue": hue}}))
    assert own == domain({"marker": {"array": [255, 0, 0], "dtype": "uint8"}},
                         reset_options={"values": {"hue": {"array": [255, 0, 0], "dtype": "uint8"}}})  # fmt: skip
    read = domain_from_dict(json.loads(json.dumps(own.to_dict())))
    assert read == own
    marker = make(read).unwrapped._current.unwrapped.marker  # type: ignore[attr-defined]
    assert marker.dtype == np.uint8
    assert np.array_equal(marker, hue)
    given = live(own.setup.reset_options, "")["values"]["hue"]
    assert given.dtype == np.uint8
    assert np.array_equal(given, hue)


def test_a_stock_environment_takes_options_and_wrappers_with_arguments_from_a_file(tmp_path: Path) -> None:
    pytest.importorskip("pygame")  # draws CartPole
    short = {"wrapper": "gymnasium.wrappers:TimeLimit", "arguments": {"max_episode_steps": 5}}
    left = {"make": {"render_mode": "rgb_array"}, "wrappers": [short], "reset_options": {"low": -0.04, "high": -0.03}}
    right = {**left, "wrappers": [], "reset_options": {"low": 0.03, "high": 0.04}}
    written = {
        "name": "poles",
        "env_id": "CartPole-v1",
        "wrappers": ["gymnasium.wrappers:AddRenderObservation"],
        "resize": 64,
        "unlabeled": {"variants": [left, right]},
        "source": {"variants": [left]},
        "targets": {"right": {"variants": [right]}},
    }
    (tmp_path / "poles.json").write_text(json.dumps(written))
    task = find_task(tmp_path / "poles.json")
    assert leak_level(task, "right") == "visual"
    starts, over = {}, {}
    for name, of in (("left", task.source), ("right", task.targets["right"])):
        env = make(of)
        env.reset(seed=0)
        starts[name] = float(env.unwrapped._current.unwrapped.state[0])  # type: ignore[attr-defined]
        over[name] = [env.step(number % 2)[3] for number in range(5)][-1]
        env.close()
    assert -0.04 <= starts["left"] <= -0.03
    assert 0.03 <= starts["right"] <= 0.04
    assert over == {"left": True, "right": False}, "one has five steps"
    frames = collect(CollectConfig(frames=12, seed=1), tmp_path / "frames", domain=task.unlabeled)
    recorded = FrameSet(frames).domain["variants"]
    assert recorded[0]["reset_options"] == {"low": -0.04, "high": -0.03}
    assert recorded[0]["wrappers"] == [short]
    assert set(FrameSet(frames).contexts["reset.low"].tolist()) == {-0.04, 0.03}


def test_python_may_give_the_tuple_itself_and_the_record_is_the_same() -> None:
    own = EnvDomain("d", ID, ({"side": (20, 40)},))
    assert own == domain({"side": {"tuple": [20, 40]}})
    assert domain_from_dict(json.loads(json.dumps(own.to_dict()))) == own
    assert pickle.loads(pickle.dumps(own)) == own


def test_a_domain_without_a_setup_is_recorded_as_before() -> None:
    assert EnvDomain("d", ID, ({"hue": 3},)).to_dict() == {"name": "d", "env_id": ID, "variants": [{"hue": 3}]}


@pytest.mark.parametrize(
    ("form", "parts"),
    [
        ("dict", {"observation_key": "view"}),
        ("deep", {"observation_key": "eyes/view"}),
        ("first", {"channels_first": True}),
    ],
)
def test_the_image_is_found_in_what_is_observed(form: str, parts: dict[str, Any]) -> None:
    assert np.array_equal(first_image(domain({"form": form}, **parts)), PLAIN)


@pytest.mark.parametrize(("form", "channels"), [("flat", 1), ("gray", 1), ("image", 3), ("rgba", 4)])
def test_one_three_and_four_channels(form: str, channels: int) -> None:
    assert first_image(domain({"form": form})).shape == (*SIDES, channels)


def test_wrappers_follow_each_other_with_their_arguments_and_those_of_a_variant_come_last() -> None:
    shaded = domain(wrappers=[{"wrapper": "own_stripes:Invert", "arguments": {"shade": 30}}])
    assert np.array_equal(first_image(shaded), 255 - np.minimum(PLAIN, 225) - 30)
    twice = domain({"make": {"hue": 7}, "wrappers": ["own_stripes:Invert"]}, wrappers=["own_stripes:Invert"])
    assert np.array_equal(first_image(twice), first_image(domain({"hue": 7})))


def test_gray_resized_and_stacked() -> None:
    gray = domain(grayscale=True)
    assert np.array_equal(first_image(gray), grayscale(PLAIN))
    small = domain(resize=[12, 16])
    assert np.array_equal(first_image(small), PLAIN.reshape(12, 2, 16, 2, 3).mean((1, 3)).round().astype(np.uint8))
    assert first_image(domain(resize=48)).shape == (48, 48, 3)
    stacked = make(domain(grayscale=True, frame_stack=4))
    before, _ = stacked.reset(seed=3)
    assert np.array_equal(before, np.repeat(grayscale(PLAIN), 4, axis=2))
    after, *_ = stacked.step(0)
    assert np.array_equal(after[:, :, :3], before[:, :, 1:])
    assert not np.array_equal(after[:, :, 3], before[:, :, 3])


def test_a_skipped_frame_adds_its_reward_and_an_end_ends() -> None:
    plain, skipping = make(domain()), make(domain(frame_skip=4))
    plain.reset(seed=3), skipping.reset(seed=3)
    rewards, over, steps = 0.0, False, 0
    while not over:
        image, reward, over, *_ = plain.step(2)
        rewards += reward
    total, over = 0.0, False
    while not over:
        last, reward, over, *_ = skipping.step(2)
        total, steps = total + reward, steps + 1
    assert (steps, total) == (3, rewards)
    assert np.array_equal(last, image)


def test_reset_options_of_domain_and_variant() -> None:
    env = make(domain({"make": {}, "reset_options": {"column": 5}}, reset_options={"column": 4, "other": 1}))
    assert env.reset(seed=0)[1]["column"] == 5
    assert env.reset(seed=0, options={"column": 6})[1]["column"] == 6
    assert make(domain(reset_options={"column": 4})).reset(seed=0)[1]["column"] == 4


def task(unlabeled: dict[str, Any], source: dict[str, Any], target: dict[str, Any]) -> TransferTask:
    parts = {"unlabeled": unlabeled, "source": source}
    return task_from_dict({"name": "t", "env_id": ID, **parts, "targets": {"target": target}})


@pytest.mark.parametrize(
    ("unlabeled", "target", "level"),
    [
        ([{}], {"make": {}}, "full"),
        ([{}], INVERTED, "none"),
        (
            [{"make": {}, "wrappers": ["own_stripes:Invert"]}],
            {"make": {}, "wrappers": ["own_stripes:Invert"]},
            "visual",
        ),
        ([{}], {"make": {}, "reset_options": {"column": 3}}, "none"),
        ([{}], {"make": {}, "grayscale": True}, "none"),
    ],
)
def test_leak_levels_count_what_is_done_to_an_environment(unlabeled: Any, target: Any, level: str) -> None:
    assert leak_level(task({"variants": unlabeled}, {}, {"variants": [target]}), "target") == level


def test_the_mixture_of_targets_keeps_what_is_done_to_each() -> None:
    data = {"name": "t", "env_id": ID, "unlabeled": {}, "source": {}}
    gray, large = {"grayscale": True}, {"resize": 48}
    mixed = task_from_dict({**data, "targets": {"a": gray, "b": large}}).training_domain("targets")
    assert isinstance(mixed, EnvDomain)
    assert [mixed.variant(number)[1].to_dict() for number in (0, 1)] == [{"grayscale": True}, {"resize": [48, 48]}]


def test_parts_beside_the_name_are_those_of_every_domain() -> None:
    read = task_from_dict(
        {"name": "t", "env_id": ID, "resize": 48, "unlabeled": {}, "source": {}, "targets": {"x": {"resize": 64}}}
    )
    assert [d.setup.resize for d in (read.unlabeled, read.validation, read.targets["x"])] == [  # type: ignore[union-attr]
        (48, 48), (48, 48), (64, 64)]  # fmt: skip


def test_variants_that_name_different_things_have_every_value() -> None:
    mixed = domain({}, {"hue": 90}, {"make": {"hue": 7}, "wrappers": ["own_stripes:Invert"]})
    assert mixed.columns() == {
        "env_id": [ID] * 3,
        "hue": ["not set", 90, 7],
        "Invert": ["not set", "not set", "yes"],
    }
    env = make(mixed)
    assert {env.reset(seed=seed)[1]["context"]["hue"] for seed in range(20)} == {"not set", 90, 7}


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"resise": 64}, "unknown part of domain 'd': 'resise'; did you mean 'resize'"),
        ({"fit": "pads", "resize": 64}, "unknown value of fit: 'pads'; did you mean 'pad'"),
        ({"fit": "pad"}, "would be ignored"),
        ({"resize": [64]}, "resize"),
        ({"resize": "64"}, "resize is '64'"),
        ({"resize": 0}, r"resize is \[0, 0\]"),
        ({"frame_skip": 0}, "frame_skip is 0"),
        ({"frame_stack": 2.5}, "frame_stack is 2.5"),
        ({"grayscale": "yes"}, "grayscale is 'yes'"),
        ({"wrappers": "own_stripes:Invert"}, "wrappers is 'own_stripes:Invert'"),
        ({"wrappers": ["Invert"]}, "named by its import path"),
        ({"wrappers": [{"wrapper": "a:B", "kwargs": {}}]}, "unknown part of a wrapper: 'kwargs'"),
        ({"wrappers": [{"wrapper": "a:B", "arguments": [1]}]}, "must be an object"),
        ({"wrappers": ["no_such_module:B"]}, "there is no module 'no_such_module'"),
        ({"wrappers": ["own_stripes:Invrt"]}, "did you mean 'Invert'"),
        ({"wrappers": ["own_stripes:forgetful"]}, "returned a NoneType"),
        ({"observation_key": "view"}, "observation_key 'view' cannot be used"),
        ({"variants": [{"form": "dict"}]}, "name the entry that is the image: \"observation_key\", one of .*'view'"),
        ({"variants": [{"form": "dict"}], "observation_key": "vew"}, "did you mean 'view'"),
        ({"variants": [{"form": "gray"}], "grayscale": True}, "have 1"),
        ({"resize": [64, 16], "fit": "crop"}, "cannot be cropped"),
        ({"variants": [{"wrappers": []}]}, '"make"'),
        ({"variants": [{"make": {}, "frame_skp": 2}]}, "did you mean 'frame_skip'"),
        ({"variants": [{"side": {"tuple": 3}}]}, "cannot be used: write"),
        ({"variants": [{"side": {"array": [3]}}]}, 'cannot be used: write .*"dtype": "uint8"'),
        ({"variants": [{"side": {"array": [300], "dtype": "uint8"}}]}, "cannot be an array of uint8"),
        ({"variants": [{"side": {"array": [0.5], "dtype": "int64"}}]}, "cannot be an array of int64"),
        ({"variants": [{"side": {"array": ["a"], "dtype": "uint8"}}]}, "is no array of numbers"),
        ({"variants": [{"side": {"array": [[1], [2, 3]], "dtype": "uint8"}}]}, "is no array of numbers"),
        ({"variants": [{"side": {"array": [3], "dtype": "unit8"}}]}, "did you mean 'uint8'"),
        ({"variants": [{"marker": {"import": "os:system"}}]}, "module of Python itself"),
        ({"env_id": "no_such_module:Id-v0"}, "there is no module 'no_such_module'"),
        ({"env_id": "own_stripes:Strips"}, "unknown environment of"),
    ],
)
def test_mistakes_are_named(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make(domain_from_dict({"name": "d", "env_id": ID, **parts}))


def test_what_cannot_be_written_into_artefacts_is_refused() -> None:
    with pytest.raises(InputError, match=r'variant 0: marker is <object .*"import"'):
        EnvDomain("d", ID, ({"marker": own_stripes.MARKER},))


def test_stock_miniworld_needs_neither_display_nor_variable() -> None:
    out = darla_python("import darla.envs as e; env = e.make(e.EnvDomain('d', 'MiniWorld-Hallway-v0'));"
                       "print(env.reset(seed=0)[0].shape)")  # fmt: skip
    assert out.split()[-3:] == ["(60,", "80,", "3)"]


def darla_python(program: str) -> str:
    """Run a program without a display and without variables of pyglet."""
    import os
    import subprocess
    import sys

    hidden = ("DISPLAY", "PYGLET_HEADLESS")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_module_beside_the_task_file_is_found_by_workers_too(tmp_path: Path) -> None:
    source = Path(own_stripes.__file__).read_text()
    (tmp_path / "my_stripes.py").write_text(source.replace("darla-test/Stripes", "darla-test/Beside"))
    env = {"env_id": "my_stripes:Stripes", "resize": 32, "wrappers": ["my_stripes:Invert"]}
    data = {"name": "t", **env, "unlabeled": {"variants": [{}, {"hue": 200}]}, "source": {}, "targets": {"x": {}}}
    (tmp_path / "task.json").write_text(json.dumps(data))
    frames = tmp_path / "frames"
    words = ("--frames", "40", "--shard-size", "20", "--workers", "2", "--sampling", "random_policy", "--out", frames)
    shown = darla("collect", tmp_path / "task.json", *words)
    assert "importing my_stripes for environment" in shown.stderr
    assert np.load(frames / "shards" / "00000.images.npy").shape == (20, 32, 32, 3)
    assert set(np.load(frames / "shards" / "00000.factors.npy").dtype.names) >= {"hue", "env_id"}


def test_everything_that_a_task_file_can_ask_for_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {"form": "deep", "side": {"tuple": [60, 80]}, "marker": {"import": "own_stripes:MARKER"}}
    data = {
        "name": "all of it",
        "env_id": ID,
        "reset_options": {"column": 4},
        "wrappers": ["own_stripes:Turn"],
        "observation_key": "eyes/view",
        "frame_skip": 2,
        "grayscale": True,
        "resize": [64, 80],
        "fit": "pad",
        "frame_stack": 3,
        "unlabeled": {"variants": [arguments, {**arguments, "hue": 200}]},
        "source": {"variants": [arguments]},
        "targets": {"turned": {"variants": [
            {"make": arguments, "wrappers": [{"wrapper": "own_stripes:Turn", "arguments": {"columns": 9}}]}]}},
    }  # fmt: skip
    path = tmp_path / "task.json"
    path.write_text(json.dumps(data))
    assert cli.main(["check", str(path)]) == 0
    assert "all of it can be used" in capsys.readouterr().out
    words = ["--frames", "16", "--sampling", "random_policy", "--out", str(tmp_path / "frames")]
    assert cli.main(["collect", str(path), *words]) == 0
    images = np.load(tmp_path / "frames" / "shards" / "00000.images.npy")
    assert images.shape == (16, 64, 80, 3)  # three gray images
    assert (images[:, :2] == 0).all()
    assert (images[:, 2:62] > 0).all()


@pytest.mark.parametrize("shape", [(84, 84), (210, 160), (60, 80), (56, 56), (16, 100)])
def test_an_image_is_stretched_padded_or_cropped(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    assert (fit_image(image, (64, 64)) == 200).all()
    padded = fit_image(image, (64, 64), "pad")
    scale = min(1, 64 / max(shape))
    assert (padded == 200).all(axis=2).sum() == round(shape[0] * scale) * round(shape[1] * scale)
    assert set(np.unique(padded)) <= {0, 200}
    if min(shape) >= 64:
        assert (fit_image(image, (64, 64), "crop") == 200).all()


def test_padding_and_cropping_keep_the_middle_and_the_proportions() -> None:
    image = np.zeros((84, 84, 1), np.uint8)
    image[40:44, 40:44] = 100
    assert np.array_equal(fit_image(image, (96, 96), "pad")[6:90, 6:90], image)
    assert np.array_equal(fit_image(image, (84, 42), "crop"), image[:, 21:63])


def test_channels_of_a_resized_image_do_not_mix() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 4), dtype=np.uint8)
    image[:, :, 3] = 0  # Pillow would take it for alpha and lose the colors
    by_channel = [fit_image(image[:, :, c : c + 1], (16, 16)) for c in range(4)]
    assert np.array_equal(fit_image(image, (16, 16)), np.concatenate(by_channel, axis=2))


def test_a_task_file_and_its_domains_say_where_modules_lie(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(
        json.dumps({"name": "t", "env_id": ID, "unlabeled": {}, "source": {}, "targets": {"x": {}}})
    )
    read = find_task(str(tmp_path / "task.json"))
    assert isinstance(read.source, EnvDomain)
    assert read.source.folder == str(tmp_path)
    assert pickle.loads(pickle.dumps(read.source)).folder == str(tmp_path)
    assert str(tmp_path) not in json.dumps(read.to_dict())


def test_an_import_path_is_searched_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("THING = 3\n")
    assert import_by_path("beside_it:THING", "thing", str(tmp_path)) == 3
    assert EnvSetup().to_dict() == {}
    assert gymnasium.spec("darla-test/Stripes-v0") is not None
