"""The card names every package that made the images, and the user's own module."""

import sys
from importlib import metadata
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AddRenderObservation
from stable_baselines3.common.vec_env import VecEnv

import darla
from darla.agents import ActConfig, PPOSettings
from darla.common.artefact import note_packages, package_name, versions
from darla.common.files import sha256
from darla.envs import EnvDomain, make, tasks
from darla.envs.domains.tasks import environment_task
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.packages import packages_of
from darla.zero_shot import TransferConfig

ID = "own_stripes:Stripes"


def test_every_card_names_what_draws_rooms(tmp_path: Path) -> None:
    made = collect(CollectConfig(frames=2), tmp_path / "frames", domain=tasks.get("conjunction").unlabeled)
    for package in ("darla", "gymnasium", "miniworld", "pyglet", "pillow", "numpy"):
        assert made.card["versions"][package] == metadata.version(package)


def test_a_car_is_drawn_by_pygame_and_moved_by_box2d() -> None:
    pytest.importorskip("Box2D")
    pygame = pytest.importorskip("pygame")
    env = make(tasks.get("car-racing").source)
    packages = packages_of(env)
    env.close()
    assert {name.lower() for name in packages} >= {"box2d"}
    installed = metadata.packages_distributions()["pygame"]
    assert {name: packages[name] for name in installed} == {name: metadata.version(name) for name in installed}
    assert pygame.version.ver in {packages[name] for name in installed}


def test_what_is_imported_only_where_an_image_is_drawn_is_named() -> None:
    pytest.importorskip("pygame")
    env = AddRenderObservation(gymnasium.make("Pendulum-v1", render_mode="rgb_array"))
    env.reset(seed=0)
    installed = metadata.packages_distributions()["pygame"]
    named = packages_of(env)
    env.close()
    assert {name: named[name] for name in installed} == {name: metadata.version(name) for name in installed}


class TrainedElsewhere(gymnasium.Env[np.ndarray, int]):
    """An environment whose module also names a class of Stable-Baselines3."""

    trainer = VecEnv


def test_a_package_has_one_name_on_a_card() -> None:
    named = packages_of(TrainedElsewhere())
    assert "pytest" in named  # which this module names as well
    assert not {package_name(name) for name in named} & versions().keys()
    assert package_name("Stable_Baselines3") == package_name("stable.baselines3") == "stable-baselines3"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_users_own_module_is_named_by_its_content(workers: int, tmp_path: Path) -> None:
    import own_stripes

    expected = {"own_stripes": f"sha256 {sha256(Path(own_stripes.__file__))[:12]}"}
    large = {"side": {"tuple": [48, 48]}}
    domain = EnvDomain("stripes", ID, (large,))
    env = make(domain)
    # Other tests of this process may have registered environments whose modules are named as well.
    assert expected.items() <= packages_of(env).items()
    task = environment_task("stripes", (ID, large), (ID, large), {"other": (ID, {**large, "hue": 90})})
    config = CollectConfig(frames=8, sampling="random_policy", stride=1, shard_size=4)
    act = ActConfig(env_steps=32, settings=PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1), snapshots=1)
    agent = darla.act(task, tmp_path / "agent", act, workers=workers)
    protocol = TransferConfig(episodes=1, n_envs=1, snapshot_eval_episodes=0, strip_frames=0, resamples=10)
    made = [
        collect(config, tmp_path / "frames", domain=domain, workers=workers),
        agent,
        darla.transfer(task, [agent], tmp_path / "transfer", protocol, workers=workers),
    ]
    for artefact in made:
        assert expected.items() <= artefact.card["versions"].items(), artefact.kind
        assert not (artefact.folder / "checkpoint").exists()


def test_a_damaged_note_costs_nothing(tmp_path: Path) -> None:
    domain = tasks.get("grid-world").unlabeled
    note_packages(tmp_path / "frames", {"nothing": "1.0"})
    [note] = (tmp_path / "frames" / "checkpoint").iterdir()
    note.write_text("{")
    made = collect(CollectConfig(frames=2), tmp_path / "frames", domain=domain)
    assert "nothing" not in made.card["versions"]
    assert sys.version_info[:2] == tuple(map(int, made.card["versions"]["python"].split(".")[:2]))
