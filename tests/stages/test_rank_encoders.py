"""Choosing an encoder without labels: several are trained, and ranked by what they agree on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import darla
from darla.common import Artefact, InputError
from darla.experiments.families import FAMILIES, family
from darla.reports.selection_page import Candidate, factors_table, ranking_opening, ranking_table, settings_table
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
    from darla.envs.frames.collect import CollectConfig

    return darla.collect(CollectConfig(task="conjunction", frames=500), tmp_path_factory.mktemp("frames") / "set")


@pytest.fixture(scope="module")
def made(frames: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return darla.select(frames, tmp_path_factory.mktemp("select") / "out", SETTINGS, seeds=(0, 1), workers=1)


def test_every_setting_and_seed_is_trained_and_ranked_best_first(made):
    result = json.loads((made.folder / "selection.json").read_text())
    listed = result["candidates"]
    assert {(each["name"], each["seed"]) for each in listed} == {(name, seed) for name in SETTINGS for seed in (0, 1)}
    scores = [each["udr"]["lasso"] for each in listed]
    assert scores == sorted(scores, reverse=True)
    assert set(result["rank_correlation"]) >= {"mig", "dci", "sap", "probe_kind", "probe_bearing", "probe_distance"}
    best = load(made.folder / listed[0]["encoder"])
    assert best.latent_dim == 6
    for each in listed:
        assert 0 <= each["dead_units"] <= 1
        by_factor = list(each["informativeness"].values())
        assert each["supervised_scores"]["informativeness"] == pytest.approx(sum(by_factor) / len(by_factor))


def test_the_page_compares_numbers_training_and_pictures(made):
    page = (made.folder / "report.html").read_text()
    for name in SETTINGS:
        assert f"{name}, seed" in page
    text = (made.folder / "report.md").read_text()
    for picture in ("udr", "training", "factors", "traversals-weak", "relation-features"):
        (shown,) = (made.folder / "figures").glob(f"*-{picture}.png")
        assert shown.name in text


def test_only_a_model_of_rising_capacity_has_a_capacity_plot(made):
    assert not list((made.folder / "figures").glob("*capacity*"))


def test_siblings_share_a_denoiser_of_their_own_seed(made):
    assert {path.name for path in (made.folder.parent / "denoisers").iterdir()} == {"features-s0", "features-s1"}


def test_a_finished_selection_is_returned_as_it_is(made, frames):
    again = darla.select(frames, made.folder.parent, SETTINGS, seeds=(0, 1), workers=1)
    assert again.card == made.card


FOUND = [
    Candidate(name, seed, Path(f"{name}-s{seed}"), udr, udr / 2, 5, 12.0, error, {"probe_kind": udr})
    for name, seed, udr, error in (("b", 0, 0.9, 0.02), ("a", 0, 0.8, 0.01), ("a", 1, 0.7, 0.03), ("b", 1, 0.2, 0.02))
]
AGREEMENT = {"probe_kind": {"lasso": 1.0, "spearman": 1.0}}


def test_the_ranking_tells_each_encoder_and_how_labels_agree():
    text = ranking_table(FOUND, AGREEMENT).markdown()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:6]]
    assert rows[0] == ["b", "0", "0.900", "0.450", "0.900", "20.0", "12.0", "5"]
    assert [row[:2] for row in rows] == [["b", "0"], ["a", "0"], ["a", "1"], ["b", "1"]]
    assert "probe of kind +1.00 and +1.00" in text


def test_a_selection_opens_with_which_setting_ranks_first():
    assert ranking_opening(FOUND, "lasso").words == (
        "By the mean UDR (Lasso) over seeds, **a** (0.75) ranks first, before **b** (0.55)."
    )
    alike = [replace(each, lasso=0.0, active=0 if each.name == "a" else 5) for each in FOUND]
    assert ranking_opening(alike, "lasso").words == (
        "All settings have the same UDR (Lasso), 0.00, which ranks none before another. No latent of **a** is active: "
        "such a code is the same for every image."
    )
    assert "probe of kind – and +1.00" in ranking_table(alike, AGREEMENT).notes[0]


def test_a_code_without_a_posterior_has_no_kl_and_no_count_of_latents():
    bare = [replace(each, kl=None, active=None) for each in FOUND]
    assert [cell.text for cell in ranking_table(bare, AGREEMENT).rows[0]][-2:] == ["–", "–"]
    table = settings_table(bare, AGREEMENT, "lasso").without_blank_columns()
    assert not {"KL", "active"} & {cell.text for cell in table.header}
    assert "Active:" not in table.notes[0]


def test_supervision_is_a_column_of_a_selection_as_soon_as_one_model_had_some():
    assert "supervision" not in ranking_table(FOUND, AGREEMENT).markdown()
    mixed = [replace(each, supervision="labels" if each.name == "a" else "none") for each in FOUND]
    settings, ranking = settings_table(mixed, AGREEMENT, "lasso"), ranking_table(mixed, AGREEMENT)
    assert [row[1].text for row in settings.rows] == ["labels", "none"]
    assert [row[2].text for row in ranking.rows] == ["none", "labels", "labels", "none"]
    for table, place in ((settings, 1), (ranking, 2)):
        assert table.header[place].text == "supervision"
        assert table.labels == place + 1
        assert all(len(row) == len(table.header) for row in table.rows)


def test_each_factor_is_told_as_it_is_read_from_the_whole_code():
    known = [replace(each, informativeness={"hue": each.lasso, "object_kind": 0.5}) for each in FOUND]
    (table,) = factors_table(known, "lasso")
    assert [cell.text for cell in table.header] == ["setting", "hue", "object kind"]
    assert [row[0].text for row in table.rows] == ["a", "b"]
    assert (table.rows[1][1].text, table.rows[1][1].detail) == ("0.55", "0.20 to 0.90")
    assert not factors_table(FOUND, "lasso")


def test_settings_are_ranked_by_the_mean_over_their_seeds():
    table = settings_table(FOUND, AGREEMENT, "lasso")
    assert [row[0].text for row in table.rows] == ["a", "b"]
    assert (table.rows[0][1].text, table.rows[0][1].detail) == ("0.75", "0.70 to 0.80")
    assert (table.rows[0][4].text, table.rows[0][4].detail) == ("20.0", "10.0 to 30.0")


def test_what_cannot_be_ranked_is_refused(frames, tmp_path):
    with pytest.raises(InputError, match="at least two different seeds"):
        darla.select(frames, tmp_path / "a", SETTINGS, seeds=(0,))
    with pytest.raises(InputError, match="did you mean 'beta-4'"):
        darla.select(frames, tmp_path / "b", ("beta-44",))
    with pytest.raises(InputError, match="'lasso' or 'spearman'"):
        darla.select(frames, tmp_path / "c", SETTINGS, ranking="mig")


def test_a_family_is_six_models_on_the_same_network_for_as_many_steps():
    for name, settings in FAMILIES.items():
        assert len(settings) == 6, name
        assert len({each.model for each in settings.values()}) == 6, name
        shared = {
            (each.vae.network, each.vae.activation, each.vae.latent_dim, each.vae.loss, each.training.steps)
            for each in settings.values()
        }
        assert len(shared) == 1, name
    with pytest.raises(InputError, match="did you mean 'sprites'"):
        family("sprite")
