"""What `tensorboard --logdir` shows of the stages: their numbers, pictures, films and final tables, in named runs."""

from pathlib import Path

import pytest
from short_rooms import hasty_agent, hasty_encoder, short_task
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

import darla
from darla.vision.metrics.config import MetricsConfig
from darla.zero_shot import TransferConfig


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> EventMultiplexer:
    """All stages, as TensorBoard finds them below the folder of the runs."""
    runs = tmp_path_factory.mktemp("runs")
    encoder = hasty_encoder(runs)
    agents = [("DARLA", hasty_agent(runs / f"agent-{seed}", seed, encoder=encoder)) for seed in (0, 1)]
    config = TransferConfig(episodes=2, snapshot_eval_episodes=1, strip_frames=3)
    darla.transfer(short_task(), agents, runs / "transfer", config)
    darla.metrics(encoder, runs / "metrics", config=MetricsConfig(names=("mig", "dci"), rows=40))
    return EventMultiplexer().AddRunsFromDirectory(str(runs)).Reload()


def tags(shown: EventMultiplexer, run: str, kind: str) -> set[str]:
    return set(shown.Runs()[run][kind])


def table(shown: EventMultiplexer, run: str, name: str) -> list[str]:
    (text,) = shown.Tensors(run, f"{name}/text_summary")
    return text.tensor_proto.string_val[0].decode().splitlines()


def test_each_agent_is_a_run_of_its_own(shown: EventMultiplexer) -> None:
    assert set(shown.Runs()) == {
        "encoder/tensorboard",
        "agent-0/tensorboard",
        "agent-1/tensorboard",
        "transfer/tensorboard",
        "transfer/tensorboard/DARLA/seed0",
        "transfer/tensorboard/DARLA/seed1",
        "transfer/tensorboard/random/seed0",
        "metrics/tensorboard",
    }


def test_an_encoder_has_numbers_pictures_a_film_and_its_probes(shown: EventMultiplexer) -> None:
    run = "encoder/tensorboard"
    assert {"train/loss", "held_out/loss", "kl_per_latent/z00"} <= tags(shown, run, "scalars")
    assert {"reconstructions", "traversals", "traversals_film"} <= tags(shown, run, "images")
    assert shown.Images(run, "traversals_film")[0].encoded_image_string.startswith(b"GIF8")
    assert table(shown, run, "probes")[0] == "| of the image | measure | linear | nonlinear | chance | ceiling |"


def test_an_agent_has_the_names_of_stable_baselines3_and_its_learning_curve(shown: EventMultiplexer) -> None:
    run = "agent-0/tensorboard"
    assert {"rollout/ep_rew_mean", "rollout/ep_len_mean", "train/loss", "time/fps"} <= tags(shown, run, "scalars")
    heading, _, *rows = table(shown, run, "learning_curve")
    assert heading == "| env_steps | mean_return | mean_length | episodes |"
    assert rows[-1].split(" | ")[0] == "| 128"


def test_a_transfer_has_a_run_for_each_agent_strips_films_and_the_table(shown: EventMultiplexer) -> None:
    names = {f"eval/{name}/{domain}" for name in ("mean_reward", "mean_ep_length") for domain in ("source", "new")}
    assert names <= tags(shown, "transfer/tensorboard/DARLA/seed1", "scalars")
    (last,) = shown.Scalars("transfer/tensorboard/DARLA/seed1", "eval/mean_reward/new")
    assert last.step == 128
    curve = shown.Scalars("transfer/tensorboard/DARLA/seed1", "eval/mean_reward_of_snapshot/new")
    assert [point.step for point in curve] == [64, 128]
    assert {"strips/DARLA/new", "films/DARLA/new"} <= tags(shown, "transfer/tensorboard", "images")
    assert shown.Images("transfer/tensorboard", "films/DARLA/new")[0].encoded_image_string.startswith(b"GIF8")
    assert [line.split(" | ")[0] for line in table(shown, "transfer/tensorboard", "scores")[2:]] == [
        "| random",
        "| DARLA",
    ]


def test_metrics_have_their_scores_matrices_and_table(shown: EventMultiplexer) -> None:
    assert {"metrics/mig", "metrics/dci"} <= tags(shown, "metrics/tensorboard", "scalars")
    assert "matrices/mig" in tags(shown, "metrics/tensorboard", "images")
    assert len(table(shown, "metrics/tensorboard", "metrics")) == 4


def test_nothing_of_it_is_hashed_or_left_in_the_transfer(shown: EventMultiplexer) -> None:
    folder = Path(shown.GetAccumulator("transfer/tensorboard").path).parent
    files = darla.Artefact.load(folder).card["files"]
    assert not [name for name in files if "tensorboard" in name or name.endswith(".gif")]
