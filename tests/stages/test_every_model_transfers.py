"""Every model of vision can be the eyes of an agent that is trained in the source and transferred."""

import pytest
from short_rooms import hasty_agent, hasty_encoder, short_task

from darla.evaluation.episode_records import read_episodes
from darla.vision import MODELS
from darla.vision.models.registry import model_info
from darla.zero_shot import TransferConfig, transfer

CONFIG = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=0, strip_frames=0, resamples=50)


IMAGES_ALONE = sorted(
    name for name, model in MODELS.items() if not model_info(name).needs.kinds() and not model.is_foreign
)


@pytest.mark.parametrize("model", IMAGES_ALONE)
def test_a_model_sees_for_an_agent_from_frames_to_scores(model, tmp_path):
    encoder = hasty_encoder(tmp_path / "see", model)
    agent = hasty_agent(tmp_path / "act", 0, encoder=encoder)
    scores = transfer(short_task(), [(model, agent)], tmp_path / "transfer", CONFIG)
    played = [row for row in read_episodes(scores.folder / "episodes.csv") if row.method == model]
    assert {row.domain for row in played} == {"source", "validation", "shown", "new"}
    assert len(played) == 4 * CONFIG.episodes
