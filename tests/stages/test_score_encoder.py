"""Scoring an encoder: its codes of known images, through the metric suite, to an artefact."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import darla
from darla.common import Artefact, InputError
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.from_images import frames_from_images
from darla.envs.image_data.factor_table import factor_table
from darla.envs.image_data.sprites import Sprites
from darla.score_encoder import MetricsConfig, summary
from darla.vision import SeeConfig, TrainingConfig, encode_images, load, metrics
from darla.vision.metrics.core.registry import METRICS
from darla.vision.metrics.metric_files import read_results

SHORT = SeeConfig().change(training=TrainingConfig(steps=3, batch_size=16), latent_dim=5, held_out=0.2, loss="pixel")
FEW = MetricsConfig(names=("mig", "mig_posterior", "active_units"), rows=300)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return collect(CollectConfig(task="sprites", frames=400), tmp_path_factory.mktemp("frames") / "set")


@pytest.fixture(scope="module")
def encoder(frames: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return darla.see(frames, tmp_path_factory.mktemp("encoder") / "out", SHORT)


@pytest.fixture(scope="module")
def made(encoder: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return darla.metrics(encoder, tmp_path_factory.mktemp("metrics") / "out", config=FEW, seed=3)


def test_scores_are_those_of_the_codes(made: Artefact, encoder: Artefact) -> None:
    results, factors = read_results(made)
    assert set(results) == set(FEW.names)
    assert factors == Sprites.factor_names
    images = factor_table("sprites", 300, 3)
    codes = encode_images(load(encoder.folder), Sprites().render(images.factors))
    expected = metrics.mig(codes, images.factors, seed=3)
    assert results["mig"].score == pytest.approx(expected.score, abs=1e-6)
    np.testing.assert_allclose(results["mig"].matrix, expected.matrix, atol=1e-6)


def test_every_score_has_its_chance_and_ceiling_and_every_matrix_a_picture(made: Artefact) -> None:
    results, _ = read_results(made)
    text = (made.folder / "table.md").read_text()
    for name, result in results.items():
        assert np.isfinite([result.score, result.chance, result.ceiling]).all()
        assert name in text
        assert name in summary(made)
        picture = made.folder / "matrices" / f"{name}.png"
        assert picture.is_file() == (result.matrix is not None)
    with Image.open(made.folder / "matrices" / "mig.png") as shown:
        assert min(shown.size) > 200


def test_the_card_says_what_was_scored(made: Artefact, encoder: Artefact) -> None:
    assert made.kind == "metrics"
    assert made.card["inputs"] == {"encoder": encoder.digest}
    assert made.config["data"] == {"name": "sprites"}


def test_a_finished_scoring_is_returned_as_it_is_and_another_is_refused(made: Artefact, encoder: Artefact) -> None:
    assert darla.metrics(encoder, made.folder, config=FEW, seed=3).card == made.card
    with pytest.raises(InputError, match="seed was 3 and is now 4"):
        darla.metrics(encoder, made.folder, config=FEW, seed=4)


def test_frames_are_scored_by_the_factors_that_lie_beside_them(
    frames: Artefact, encoder: Artefact, tmp_path: Path
) -> None:
    found = darla.metrics(encoder, tmp_path / "out", frames, MetricsConfig(names=("mig",)))
    assert found.config["rows"] == 400
    assert found.card["inputs"]["frames"] == frames.digest
    stored = FrameSet(frames)
    truth = np.stack([stored.contexts[name] for name in Sprites.factor_names], axis=1)
    expected = metrics.mig(encode_images(load(encoder.folder), stored[:]), truth)
    assert json.loads((found.folder / "metrics.json").read_text())["results"]["mig"]["score"] == pytest.approx(
        expected.score, abs=1e-6
    )


def test_factors_that_do_not_vary_are_left_out_and_names_are_numbered(tmp_path: Path) -> None:
    from darla.envs import SEEK_AVOID, Domain, Uniform

    parts = ({"object_set": "A", "wall_hue": Uniform(0.1, 0.4)}, {"object_set": "B", "wall_hue": 0.2})
    domain = Domain("two", parts, world=SEEK_AVOID)
    rooms = collect(CollectConfig(frames=12), tmp_path / "rooms", domain=domain)
    table = factor_table(rooms.folder, 100, 0)
    assert set(table.names) == {"wall_hue", "object_set"}
    assert set(table.factors[:, table.names.index("object_set")]) <= {0, 1}


def test_an_encoder_is_scored_on_its_own_frames_if_nothing_else_is_named(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    factors = {"kind": ["a", "b", "c"] * 20}
    frames = frames_from_images(images, tmp_path / "frames", factors=factors)
    encoder = darla.see(frames, tmp_path / "encoder", SHORT.change(statistics_frames=30))
    config = MetricsConfig(names=("mig",))
    made = darla.metrics(encoder, tmp_path / "metrics", config=config)
    assert made.card["inputs"]["frames"] == frames.digest
    frames.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"are not where they were; name with --data .* a folder of frames"):
        darla.metrics(encoder, tmp_path / "again", config=config)


def test_what_a_factor_is_can_be_asked_for_by_name_and_is_shown(
    frames: Artefact, encoder: Artefact, made: Artefact, tmp_path: Path
) -> None:
    assert "position_x (classes)" in (made.folder / "table.md").read_text()
    config = MetricsConfig(names=("mig",), continuous=("position_x",))
    asked = darla.metrics(encoder, tmp_path / "asked", frames, config)
    assert (
        "shape (classes), scale (classes), orientation (classes), position_x (continuous)"
        in (asked.folder / "table.md").read_text()
    )
    results, factors = read_results(asked)
    assert results["mig"].per_factor["continuous"].tolist() == [name == "position_x" for name in factors]
    with pytest.raises(InputError, match="did you mean 'position_x'"):
        darla.metrics(encoder, tmp_path / "wrong", frames, MetricsConfig(classes=("positon_x",)))
    assert not (tmp_path / "wrong").exists()


def test_a_column_of_names_that_do_not_repeat_is_no_factor(frames: Artefact, tmp_path: Path) -> None:
    images = np.repeat(FrameSet(frames)[:20], 3, axis=3)
    named = frames_from_images(images, tmp_path / "named", factors={"file": [f"{n}.png" for n in range(20)]})
    with pytest.raises(InputError, match="factor 'file' has 20 different names in 20 images"):
        factor_table(named.folder, 20, 0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("sprits", "neither of sprites, rooms nor a folder"),
        ("rooms", r"images \(64, 64, 3\), but the encoder reads \(64, 64, 1\)"),
    ],
)
def test_data_that_the_encoder_cannot_be_scored_on_are_refused(
    data: str, sentence: str, encoder: Artefact, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        darla.metrics(encoder, tmp_path / "out", data, FEW)


def test_metrics_that_were_computed_before_ctrl_c_are_kept(
    encoder: Artefact, made: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def score() -> Artefact:
        return darla.metrics(encoder, tmp_path / "out", config=FEW, seed=3)

    with monkeypatch.context() as patch:
        patch.setattr(type(METRICS["active_units"]), "of", _until(METRICS["active_units"], press))
        with pytest.raises(KeyboardInterrupt):
            score()
    kept = {path.name for path in (tmp_path / "out" / "checkpoint").glob("metric-*.json")}
    assert kept == {"metric-mig.json", "metric-mig_posterior.json"}
    with monkeypatch.context() as patch:
        patch.setattr(type(METRICS["mig"]), "of", _until(METRICS["mig"], press))  # it is not computed again
        again = score()
    assert again.digest == made.digest
    assert not (again.folder / "checkpoint").exists()


def _until(metric: Any, press: Any) -> Any:
    """Return `Metric.of` that presses Ctrl-C for one metric."""
    of = type(metric).of
    return lambda self, *given, **options: (press if self is metric else of.__get__(self))(*given, **options)


def test_a_matrix_that_cannot_be_drawn_costs_no_score(
    encoder: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr("darla.reports.figures.relation.relation_figure", fail)
    made = darla.metrics(encoder, tmp_path / "out", config=FEW, seed=3)
    assert set(read_results(made)[0]) == set(FEW.names)
    assert "the matrix of mig in" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"names": ("mgi",)}, "did you mean 'mig'"),
        ({"preset": "robost"}, "did you mean 'robust'"),
        ({"rows": 1}, "rows is 1"),
        ({"interval": -1}, "interval is -1"),
        ({"interval": 1}, "interval is 1, but must be 0, or at least 2 resamples"),
        ({"classes": ("hue",), "continuous": ("hue",)}, "factor 'hue' is named both"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        MetricsConfig(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("results", "mig", "per_latent", "active"), ["x"]),
        (("results", "mig", "per_factor", "gap"), [0.5]),
        (("results", "mig", "score"), "high"),
        (("results", "mig", "matrix"), [[1.0]]),
        (("results", "mig", "per_latent", "active"), 0),
        (("results", "mig", "per_latent", "active"), [1.0]),
        (("results", "mig", "nope"), 1),
        (("results", "mig"), None),
        (("results",), []),
        (("factors",), "shape"),
    ],
)
def test_results_of_another_form_are_named_even_under_renewed_hashes(
    place: tuple[str, ...], value: object, made: Artefact, tmp_path: Path
) -> None:
    folder = shutil.copytree(made.folder, tmp_path / "scores")
    record = json.loads((folder / "metrics.json").read_text())
    part = record
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    (folder / "metrics.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"metrics\.json does not hold results of metrics"):
        read_results(Artefact(folder, made.kind, made.config, made.card))


def test_a_report_shows_scores_and_matrices(made: Artefact, encoder: Artefact, tmp_path: Path) -> None:
    page = darla.report([encoder, made], tmp_path / "report")
    text = (page.folder / "report.md").read_text()
    assert "300 images of sprites" in text
    for heading in ("chance", "ceiling", "mig posterior"):
        assert heading in text
    assert len(list((page.folder / "figures").glob("*metrics*.png"))) == len(list((made.folder / "matrices").iterdir()))
