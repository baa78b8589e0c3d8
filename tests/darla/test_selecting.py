"""Choosing an encoder without labels: several are trained, and ranked by what they agree on."""

import json
from pathlib import Path

import pytest

import darla
from darla.base import Artefact, InputError
from darla.selecting import Candidate, selection_table
from darla.vision import SeeConfig, TrainingConfig, load

SHORT = SeeConfig().change(training=TrainingConfig(steps=6, batch_size=16), latent_dim=6, held_out=0.4)
SETTINGS = {
    "weak": SHORT.change(beta=0.1),
    "features": SHORT.change(
        loss="features", bottleneck=8, dae_training=TrainingConfig(steps=4, batch_size=16), statistics_frames=64
    ),
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    from darla.envs.collect import CollectConfig

    return darla.collect(CollectConfig(task="conjunction", frames=500), tmp_path_factory.mktemp("frames") / "set")


@pytest.fixture(scope="module")
def made(frames: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return darla.select(frames, tmp_path_factory.mktemp("select") / "out", SETTINGS, seeds=(0, 1), processes=1)


def test_every_setting_and_seed_is_trained_and_ranked_best_first(made):
    found = json.loads((made.folder / "selection.json").read_text())
    listed = found["candidates"]
    assert {(each["name"], each["seed"]) for each in listed} == {(name, seed) for name in SETTINGS for seed in (0, 1)}
    scores = [each["udr"]["lasso"] for each in listed]
    assert scores == sorted(scores, reverse=True)
    assert set(found["rank_correlation"]) >= {"mig", "dci", "sap", "kind", "bearing", "distance"}
    best = load(made.folder / listed[0]["encoder"])
    assert best.latent_dim == 6
    assert (made.folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_siblings_share_a_denoiser_of_their_own_seed(made):
    assert {path.name for path in (made.folder.parent / "denoisers").iterdir()} == {"features-s0", "features-s1"}


def test_a_finished_selection_is_returned_as_it_is(made, frames):
    again = darla.select(frames, made.folder.parent, SETTINGS, seeds=(0, 1), processes=1)
    assert again.card == made.card


def test_the_table_tells_the_ranking_and_how_labels_agree():
    found = [
        Candidate(name, seed, Path(f"{name}-s{seed}"), udr, udr / 2, 5, {"kind": udr})
        for name, seed, udr in (("a", 0, 0.8), ("a", 1, 0.7), ("b", 0, 0.2))
    ]
    text = selection_table(found, {"kind": {"lasso": 1.0, "spearman": 1.0}})
    assert text.splitlines()[2] == "| a | 0 | 0.800 | 0.400 | 5 | 0.800 |"
    assert "kind +1.00 and +1.00" in text


def test_what_cannot_be_ranked_is_refused(frames, tmp_path):
    with pytest.raises(InputError, match="at least two different ones"):
        darla.select(frames, tmp_path / "a", SETTINGS, seeds=(0,))
    with pytest.raises(InputError, match="did you mean 'beta-4'"):
        darla.select(frames, tmp_path / "b", ("beta-44",))
    with pytest.raises(InputError, match="'lasso' or 'spearman'"):
        darla.select(frames, tmp_path / "c", SETTINGS, by="mig")
