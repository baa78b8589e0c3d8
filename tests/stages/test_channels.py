"""Gray images and images of four channels go through every stage; a picture that fails costs no number."""

import csv
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

import darla
from darla.agents import ActConfig, PPOSettings
from darla.common import Artefact
from darla.envs.domains.tasks import environment_task
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.frame_set import FrameSet
from darla.envs.pictures import only_a_picture, to_rgb
from darla.record_film import film
from darla.vision import SeeConfig, train_encoder
from darla.zero_shot import TransferConfig

ID = "darla-test/Channels-v0"
SIZE = 48


class Channels(gymnasium.Env[np.ndarray, int]):
    """A bright column; the episode ends by its own and by a time limit in the same step."""

    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, channels: int = 1, bright: int = 200) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE, channels), np.uint8)
        self.bright, self.t = bright, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return self._draw(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t += 1
        over = self.t == 6
        return self._draw(), float(action == self.column), over, over, {}

    def _draw(self) -> np.ndarray:
        self.column = int(self.np_random.integers(3))
        image = self.np_random.integers(0, 50, self.observation_space.shape, dtype=np.uint8)
        image[:, 16 * self.column : 16 * (self.column + 1)] = self.bright
        return image


gymnasium.register(ID, entry_point=Channels, disable_env_checker=True)
SEE = SeeConfig().change(
    latent_dim=4, bottleneck=8, loss="pixel", statistics_frames=20, training__steps=3, training__batch_size=8
)  # fmt: skip
ACT = ActConfig(env_steps=64, settings=PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1), snapshots=1)
TRANSFER = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=0, strip_frames=3, resamples=50)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_than_three_channels_go_through_every_stage(channels: int, tmp_path: Path) -> None:
    plain, dark = ({"channels": channels, "bright": bright} for bright in (200, 100))
    task = environment_task("channels", (ID, plain), (ID, plain), {"dark": (ID, dark)})
    frames = FrameSet.open(
        darla.collect(
            CollectConfig(frames=24, sampling="random_policy", stride=1), tmp_path / "frames", task=task
        ).folder
    )
    assert frames.image_shape == (SIZE, SIZE, channels)
    encoder = train_encoder(SEE, frames, tmp_path / "encoder", seed=0)
    agent = darla.act(task, tmp_path / "agent", ACT, encoder=encoder)
    scores = darla.transfer(task, [agent], tmp_path / "transfer", TRANSFER)
    for picture in ("encoder/reconstructions.png", "encoder/traversals.png", "transfer/strips/01-02.png"):
        with Image.open(tmp_path / picture) as image:
            assert min(image.size) > 30, picture
    with (scores.folder / "episodes.csv").open() as file:
        assert {row["truncated"] for row in csv.DictReader(file)} == {"1"}
    film(task, [agent], tmp_path / "film.gif")
    page = darla.report([scores, encoder, Artefact.load(tmp_path / "frames")], tmp_path / "report")
    assert "the film strip" not in (page.folder / "report.md").read_text()


def test_a_strip_that_cannot_be_drawn_costs_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:  # type: ignore[no-untyped-def]
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr("darla.evaluation.film_strips.draw", fail)
    task = environment_task("channels", (ID, {}), (ID, {}), {"dark": (ID, {"bright": 100})})
    agent = darla.act(task, tmp_path / "agent", ACT)
    scores = darla.transfer(task, [agent], tmp_path / "transfer", TRANSFER)
    assert (scores.folder / "scores.json").is_file()
    assert not (scores.folder / "strips").exists()
    output = capfd.readouterr().err
    assert "warning: the film strip of end to end in dark was left out, all else is complete (ValueError: no" in output
    darla.report(scores, tmp_path / "report")


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_images_are_shown_in_three_channels(channels: int) -> None:
    images = np.arange(2 * 3 * 5 * channels, dtype=np.uint8).reshape(2, 3, 5, channels)
    shown = to_rgb(images)
    assert shown.shape == (2, 3, 5, 3)
    first = channels - 1 if channels not in (3, 4) else 0
    np.testing.assert_array_equal(shown[..., 0], images[..., first])


def test_a_full_disk_is_more_than_a_picture() -> None:
    with pytest.raises(OSError, match="full"), only_a_picture("a picture"):
        raise OSError("full")
