"""Measures of encoders against the transfer of their policies, one item for each encoder."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import darla
from darla.analysis.encoder_correlation import ALL_TASKS, CorrelationConfig, read_correlation
from darla.analysis.encoder_measures import (
    DRIFT,
    PROBE,
    MeasuresConfig,
    measure,
    read_measures,
)
from darla.analysis.encoder_probes import EncoderProbes
from darla.common import Artefact, InputError, complete_artefact, start_artefact
from darla.common.files import read_json, write_json
from darla.common.json_records import to_json
from darla.correlate_encoders import correlate
from darla.envs.domains import tasks
from darla.envs.frames.collect import CollectConfig
from darla.evaluation.episode_records import Episode, EpisodeRecord, write_episodes
from darla.evaluation.score_types import AgentRecord, Anchors, TransferScores
from darla.evaluation.transfer_config import TransferConfig
from darla.reports.data import collect_artefacts
from darla.reports.figures.correlation import correlation_figure
from darla.reports.page import build_report
from darla.reports.tables.correlation import correlation_table
from darla.vision import SeeConfig, TrainingConfig

MEASURES = MeasuresConfig(scores=("mig", "sap"), rows=120, states=4)
NAMES = ("conjunction", "unseen")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    config = CollectConfig(task="conjunction", frames=160)
    return darla.collect(config, tmp_path_factory.mktemp("frames") / "set")


def train(frames: Artefact, folder: Path, beta: float, seed: int) -> Path:
    short = SeeConfig().change(training=TrainingConfig(steps=2, batch_size=16), latent_dim=4, held_out=0.4, beta=beta)
    darla.see(frames, folder, short, seed=seed)
    return folder


@pytest.fixture(scope="module")
def encoder(frames: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(frames, tmp_path_factory.mktemp("encoder") / "weak-s0", 0.1, 0)


@pytest.fixture(scope="module")
def encoders(frames: Artefact, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    out = tmp_path_factory.mktemp("encoders")
    others = (("weak", 0.1, 1), ("strong", 4.0, 0), ("strong", 4.0, 1))
    return [("weak", encoder), *((name, train(frames, out / f"{name}-s{s}", beta, s)) for name, beta, s in others)]


def make_transfer(folder: Path, task: str, encoders: list[tuple[str, Path]]) -> Artefact:
    """Write a transfer: two policies on each encoder, better from one encoder to the next; one fails in the source."""
    agents, rows = [], []
    for place, (_, encoder) in enumerate(encoders):
        for seed in (0, 1):
            digest = f"agent {place} {seed}"
            encoder_digest = Artefact.load(encoder).digest
            agents.append(AgentRecord("DARLA", 2 * place + seed, digest, encoder_digest, algorithm="ppo"))
            source = -1.0 if place == 0 else 10.0
            returns = {"source": source, **{target: float(place + seed) for target in tasks.get(task).targets}}
            rows += [
                EpisodeRecord(
                    "DARLA",
                    2 * place + seed,
                    digest,
                    domain,
                    "source" if domain == "source" else "target",
                    "",
                    Episode(0, 0, return_, 1, None, True, 0, 0),
                )
                for domain, return_ in returns.items()
            ]
    # Policies of another algorithm on the same encoder do not count.
    agents.append(replace(agents[0], digest="other", algorithm="dqn"))
    other = Episode(0, 0, 99.0, 1, None, True, 0, 0)
    rows.append(EpisodeRecord("DARLA", 9, "other", "source", "source", "", other))
    record = {"task": tasks.get(task).to_dict()}
    start_artefact(folder, "transfer", record)
    scores = TransferScores(
        (), Anchors(None, None, {}), (), (), task, TransferConfig(), tuple(agents), episode_seeds={}, strips=()
    )
    write_json(folder / "scores.json", to_json(scores))
    write_episodes(folder / "episodes.csv", rows)
    return complete_artefact(folder, "transfer", record, seed=0, inputs={}, wall_seconds=1.0)


@pytest.fixture(scope="module")
def transfers(encoders, tmp_path_factory: pytest.TempPathFactory) -> list[Artefact]:
    out = tmp_path_factory.mktemp("transfers")
    return [make_transfer(out / name, name, encoders) for name in NAMES]


def test_an_encoder_is_measured_on_what_it_has_learnt_from(frames, encoder, tmp_path):
    made = measure(encoder, frames, tmp_path / "m", [tasks.get("conjunction")], MEASURES)
    numbers = read_measures(made).measures
    probes = read_json(encoder / "probes.json")
    probed = {f"{PROBE}{name}": score.nonlinear for name, score in EncoderProbes.load(encoder).targets.items()}
    assert set(numbers) == {"mig", "sap", "kl", "active", "error", DRIFT, *probed}
    assert numbers["kl"] == probes["kl"]["total"]
    assert probed.items() <= numbers.items()
    assert numbers[DRIFT] == read_measures(made).drift["conjunction"]["A in room 2"].relative
    assert measure(encoder, frames, tmp_path / "again", [tasks.get("conjunction")], MEASURES).digest == made.digest
    other = darla.collect(CollectConfig(task="conjunction", frames=20, seed=1), tmp_path / "other")
    with pytest.raises(InputError, match="was not trained on the frames"):
        measure(encoder, other, tmp_path / "wrong", [], MEASURES)


@pytest.fixture(scope="module")
def made(frames, encoders, transfers, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    out = tmp_path_factory.mktemp("correlation")
    config = CorrelationConfig(measures=MEASURES, resamples=200)
    return correlate(encoders, transfers, out, frames=frames, config=config, workers=1)


@pytest.mark.slow
def test_every_encoder_is_one_item_with_the_mean_of_its_policies(made, encoders):
    items = read_correlation(made).encoders
    assert [item.setting for item in items] == [name for name, _ in encoders]
    assert {item.policies for item in items} == {2}  # the same two in both tasks
    for place, item in enumerate(items):
        for group in (*NAMES, ALL_TASKS):
            assert item.outcomes[group]["return"] == pytest.approx(place + 0.5)
        assert ("retention" in item.outcomes[ALL_TASKS]) == (place > 0)  # nothing was learnt on the first


@pytest.mark.slow
def test_correlations_are_the_librarys_over_encoders(made):
    result = read_correlation(made)
    entries = {(entry.measure, entry.task, entry.outcome): entry for entry in result.correlations}
    for name in ("kl", DRIFT):
        values = [item.measures[name] for item in result.encoders]
        returns = [item.outcomes[ALL_TASKS]["return"] for item in result.encoders]
        entry = entries[name, ALL_TASKS, "return"]
        assert entry.rho == pytest.approx(spearmanr(values, returns).statistic)
        assert entry.items == 4
        assert entry.preliminary
        assert entry.p_value_holm >= entry.p_value
    assert not any(outcome == "retention" for _, _, outcome in entries)  # three encoders have one: too few


@pytest.mark.slow
def test_a_correlation_is_written_as_table_figure_and_numbers(made):
    with (made.folder / "encoders.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert all(np.isfinite(float(row["mig"])) for row in rows)
    assert (made.folder / "return.png").read_bytes().startswith(b"\x89PNG")
    result = read_correlation(made)
    table = correlation_table(result)
    assert {row[0].text for row in table.rows} >= {"latent drift", "KL, nats"}
    assert any("preliminary" in note for note in table.notes)
    panels = [axes for axes in correlation_figure(result, "return").axes if axes.get_visible()]
    assert len(panels) == len(table.rows)


@pytest.mark.slow
def test_a_finished_correlation_is_returned_as_it_is(made, frames, encoders, transfers):
    config = CorrelationConfig(measures=MEASURES, resamples=200)
    again = correlate(encoders, transfers, made.folder.parent, frames=frames, config=config, workers=1)
    assert again.card == made.card


@pytest.mark.slow
def test_the_report_shows_drift_and_correlation(made, frames, encoders):
    material = collect_artefacts([made.folder, *(folder for _, folder in encoders), frames.folder])
    assert len(material.measures) == 4  # found by way of the correlation
    document = build_report(material)
    (why,) = [section for section in document.sections if section.title == "Why policies transfer"]
    captions = [block.caption for block in why.blocks if hasattr(block, "caption")]
    assert any(caption.startswith("Latent drift") for caption in captions)
    assert any(caption.startswith("Measures of encoders against transfer") for caption in captions)


@pytest.mark.slow
def test_what_cannot_be_correlated_is_refused(frames, encoders, transfers, tmp_path):
    with pytest.raises(InputError, match="at least 4 different ones"):
        correlate(encoders[:3], transfers, tmp_path / "few", frames=frames)
    with pytest.raises(InputError, match="no policy of 'a2c'"):
        correlate(encoders, transfers, tmp_path / "who", frames=frames, config=CorrelationConfig(algorithm="a2c"))
    with pytest.raises(InputError, match="not among those given"):
        correlate(encoders, transfers, tmp_path / "seen", frames=[])


def test_unknown_scores_are_refused_before_anything_is_measured():
    with pytest.raises(InputError, match="did you mean 'mig'"):
        MeasuresConfig(scores=("migg",))
