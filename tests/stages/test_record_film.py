"""Films: one row for each agent, source and target side by side, the episode of the film strips."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from short_rooms import hasty_agent, short_task

from darla.common import Artefact, InputError
from darla.evaluation.film_strips import RecordedEpisode
from darla.evaluation.score_types import TransferScores
from darla.evaluation.transfer_config import EvaluationProtocol
from darla.record_film import film, record_pairs
from darla.reports.figures.film import film_gif
from darla.zero_shot import TransferConfig, transfer


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return hasty_agent(tmp_path_factory.mktemp("agents") / "agent", 0)


def frames(file: Path) -> list[np.ndarray]:
    """Return the images of a GIF, RGB."""
    with Image.open(file) as image:
        images = []
        for number in range(image.n_frames):
            image.seek(number)
            images.append(np.asarray(image.convert("RGB")))
    return images


def test_the_same_command_gives_the_same_bytes_and_every_second_step(agent, tmp_path):
    files = [film(short_task(), [agent.folder], tmp_path / f"{name}.gif") for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(frames(files[0])) <= 12 // 2 + 1  # equal images are merged
    with Image.open(files[0]) as image:
        assert image.info["loop"] == 0


def test_each_agent_has_a_row(agent, tmp_path):
    one = frames(film(short_task(), [agent.folder], tmp_path / "one.gif"))[0]
    two = frames(film(short_task(), [("A", agent.folder), ("B", agent.folder)], tmp_path / "two.gif"))[0]
    assert two.shape[0] - one.shape[0] > 3 * 64


def test_a_finished_episode_keeps_its_last_image():
    def episode(length: int) -> RecordedEpisode:
        shades = np.linspace(0, 255, length + 1).astype(np.uint8)
        images = [np.full((16, 16, 3), shade, np.uint8) for shade in shades]
        return RecordedEpisode("source", images, [1.0] * length, {})

    data = film_gif({"agent": [episode(3), episode(9)]})
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 6  # steps 0, 2, 4, 6, 8 and 9


def test_the_episode_is_that_of_the_strips(agent, tmp_path):
    config = TransferConfig(episodes=1, snapshot_eval_episodes=0, strip_frames=2, resamples=10)
    results = transfer(short_task(), [agent.folder], tmp_path / "transfer", config)
    strip = next(strip for strip in TransferScores.load(results.folder).strips if strip.target == "new")
    pairs = record_pairs(short_task(), [("agent", agent.folder)], "new", EvaluationProtocol())
    assert [episode.summary() for episode in pairs["agent"]] == [strip.source_episode, strip.target_episode]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "nowhere"}, "nowhere"),
        ({"out": "film.mp4"}, "film.mp4"),
        ({"agents": []}, "no agent to evaluate"),
    ],
)
def test_bad_input_is_refused_before_anything_is_played(change, message, agent, tmp_path):
    agents = change.get("agents", [agent.folder])
    with pytest.raises(InputError, match=message):
        film(short_task(), agents, tmp_path / change.get("out", "film.gif"), target=change.get("target"))
    assert list(tmp_path.iterdir()) == []
