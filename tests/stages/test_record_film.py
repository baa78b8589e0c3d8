"""Films: agents in a grid, source and target side by side, the episode of the film strips."""

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from short_rooms import hasty_agent, hasty_encoder, short_task

from darla.common import Artefact, InputError
from darla.evaluation.film_strips import RecordedEpisode
from darla.evaluation.score_types import TransferScores
from darla.evaluation.transfer_config import EvaluationProtocol
from darla.record_film import film, record_pairs
from darla.reports.figures.film import film_gif, film_mp4, film_size
from darla.vision import encode_images, load
from darla.vision.encoders.encode import decode_codes
from darla.write_report import report
from darla.zero_shot import TransferConfig, transfer


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return hasty_agent(tmp_path_factory.mktemp("agents") / "agent", 0)


def moving(length: int) -> RecordedEpisode:
    """Return an episode whose image becomes lighter with every step."""
    shades = np.linspace(0, 255, length + 1).astype(np.uint8)
    images = [np.full((16, 16, 3), shade, np.uint8) for shade in shades]
    return RecordedEpisode("source", images, [1.0] * length, {})


def frames(file: Path) -> list[np.ndarray]:
    """Return the images of a GIF, RGB."""
    return frames_of(file.read_bytes())


def frames_of(data: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(data)) as image:
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


def test_agents_stand_in_a_grid():
    def size(agents: int) -> tuple[int, int]:
        return film_size({f"agent {number}": [moving(3), moving(3)] for number in range(agents)})

    (width, height), *_ = sizes = [size(agents) for agents in (1, 2, 4, 6)]
    assert [(round(wide / width), round(high / height)) for wide, high in sizes] == [(1, 1), (2, 1), (2, 2), (3, 2)]
    assert all(wide % 2 == 0 and high % 2 == 0 for wide, high in sizes)


def test_what_the_encoder_makes_of_an_image_is_below_it(tmp_path):
    encoder = hasty_encoder(tmp_path / "encoder")
    on_codes = hasty_agent(tmp_path / "codes", 0, encoder=encoder)
    pairs = record_pairs(short_task(), [("codes", on_codes.folder)], "new", EvaluationProtocol())
    for episode in pairs["codes"]:
        assert len(episode.decoded) == len(episode.images) == len(episode.actions) + 1
        assert set(episode.actions) <= {"left", "right", "forward"}
    source = pairs["codes"][0]
    model = load(encoder)
    expected = decode_codes(model, encode_images(model, np.stack(source.images[:1])))[0]
    np.testing.assert_array_equal(source.decoded[0], expected)
    (with_decoded,) = [frames_of(film_gif(pairs))[0]]
    bare = frames_of(film_gif({"codes": [replace(each, decoded=()) for each in pairs["codes"]]}))[0]
    assert with_decoded.shape[0] - bare.shape[0] == 3 * 64 + 4


def test_an_mp4_has_every_step_and_the_same_bytes_again():
    pytest.importorskip("imageio_ffmpeg", reason="films as MP4: pip install darla[film]")
    from imageio_ffmpeg import count_frames_and_secs, read_frames

    rows = {"agent": [moving(5), moving(9)]}
    data = film_mp4(rows)
    assert data == film_mp4(rows)
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(data)
        file.flush()
        reader = read_frames(file.name)
        assert tuple(next(reader)["size"]) == film_size(rows)
        reader.close()
        count, seconds = count_frames_and_secs(file.name)
    assert count >= 10  # every step of the longer episode, and the last image for a while
    assert 2.0 < seconds < 6.0


def test_a_finished_episode_keeps_its_last_image():
    data = film_gif({"agent": [moving(3), moving(9)]})
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
        ({"out": "film.avi"}, "must end in .gif or .mp4"),
        ({"agents": []}, "no agent to evaluate"),
    ],
)
def test_bad_input_is_refused_before_anything_is_played(change, message, agent, tmp_path):
    agents = change.get("agents", [agent.folder])
    with pytest.raises(InputError, match=message):
        film(short_task(), agents, tmp_path / change.get("out", "film.gif"), target=change.get("target"))
    assert list(tmp_path.iterdir()) == []


def test_films_of_a_report_are_played_again_by_its_agents(agent, tmp_path):
    config = TransferConfig(episodes=1, snapshot_eval_episodes=0, strip_frames=0, resamples=10)
    results = transfer(short_task(), [agent.folder], tmp_path / "transfer", config)
    made = report(results, tmp_path / "report", films=True)
    kind = made.config["films"]
    assert len(list((made.folder / "figures").glob(f"*film*.{kind}"))) == len(short_task().targets)
    assert (made.folder / "report.html").read_text().count('class="film"') == len(short_task().targets)
    with pytest.raises(InputError, match="a film needs a transfer"):
        report(hasty_encoder(tmp_path / "alone"), tmp_path / "refused", films=True)
    assert not (tmp_path / "refused").exists()
