"""A report speaks of what it has: no transfers, seeds, intervals, columns or packages that are not there."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_up_run import METHODS, make_encoder, make_run, make_transfer
from matplotlib.backends.backend_agg import FigureCanvasAgg

from darla.common import Artefact
from darla.common.files import read_json, write_json
from darla.evaluation.film_strips import RecordedEpisode, draw, in_words, is_dense
from darla.evaluation.score_types import TransferScores
from darla.reports.data import ReportData, collect_artefacts
from darla.reports.document import Block, Bullets, Cell, Code, Collapsible, FigureBlock, Section, Table, Text
from darla.reports.figures.scores import score_figure
from darla.reports.page import build_report
from darla.reports.sections.concepts import concepts_opening
from darla.reports.sections.metrics import matrix_block, metrics_table
from darla.reports.sections.protocol import compute_table, provenance_section
from darla.reports.sections.vision import find_models, probe_table
from darla.reports.tables.concepts import accuracy_table, success_of_followers
from darla.reports.tables.transfer import aggregate_table, comparison_table, score_table, success_table
from darla.vision import metrics


def words(blocks: tuple[Block, ...] | list[Block]) -> str:
    """Return what a reader reads of some blocks."""
    parts: list[str] = []
    for block in blocks:
        match block:
            case Text(text) | Code(text):
                parts.append(text)
            case Bullets(items):
                parts += items
            case Table():
                parts += [block.caption, *block.notes, *(f"{c.text} {c.detail}" for row in block.rows for c in row)]
            case FigureBlock():
                parts.append(block.caption)
            case Section(title, inside) | Collapsible(title, inside):
                parts += [title, words(inside)]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = make_run(tmp_path_factory.mktemp("run"), ("conjunction",), seeds=1)
    return words(build_report(collect_artefacts([run])).sections)


def test_one_seed_is_not_several(one_seed: str) -> None:
    for several in ("mean over seeds", "several seeds", "bootstrap resamples", "over all targets", "in the targets"):
        assert several not in one_seed
    assert "dashed: the random agent" in one_seed.lower()


def test_several_seeds_are_explained(tmp_path: Path) -> None:
    text = words(build_report(collect_artefacts([make_run(tmp_path, ("recolor",))])).sections)
    for part in ("Thick: mean over seeds; thin: single seeds", "bootstrap resamples of whole rows", "over all targets"):
        assert part in text
    assert "encoders before the policies" in text  # three policies on one encoder
    assert "The random agent and the return that normalizes the scores are treated as fixed." in text


def test_an_encoder_says_who_uses_it_and_what_is_active(one_seed: str, tmp_path: Path) -> None:
    assert "used by DARLA (β-VAE, β = 4)" in one_seed
    assert "Active: latents whose mean has a variance above 0.01 over images." in one_seed
    frames = Artefact.load(make_run(tmp_path / "run", ()).joinpath("frames"))
    seeds = [make_encoder(tmp_path / f"{skill}", frames, {"loss": "pixel", "beta": 4.0}, skill) for skill in (0.6, 0.8)]
    (note,) = probe_table(find_models(ReportData(encoders=seeds))).notes
    assert note.endswith("Of several seeds the mean, and the lowest and highest below it.")


def test_encoders_are_in_the_order_of_their_methods_and_empty_ones_are_named(tmp_path: Path) -> None:
    data = collect_artefacts([make_run(tmp_path, ("recolor",))])
    order = ["DARLA (β-VAE, β = 4)", "DARLA (β-VAE_DAE)"]
    for encoders in (data.encoders, data.encoders[::-1]):
        models = find_models(replace(data, encoders=encoders))
        assert [model.used_by for model in models] == [[name] for name in order]
    assert "is active:" not in words(build_report(data).sections)
    probes = data.encoders[0].folder / "probes.json"
    write_json(probes, {**read_json(probes), "kl": {"total": 0.0, "active_units": 0, "per_latent": [0.0]}})
    text = words(build_report(data).sections)
    assert "is active: its code is the same for every image" in text


def test_a_dagger_is_explained_below_each_table_that_has_one(tmp_path: Path) -> None:
    scores = TransferScores.load(make_transfer(tmp_path / "few", "recolor", {}, 2).folder)
    for table in (score_table(scores), success_table(scores), comparison_table(scores), aggregate_table(scores)):
        assert table is not None
        assert sum("marked †" in note for note in table.notes) == 1
    scores = TransferScores.load(make_transfer(tmp_path / "many", "recolor", {}, 10).folder)
    for table in (score_table(scores), success_table(scores), comparison_table(scores), aggregate_table(scores)):
        assert table is not None
        assert not any("†" in note for note in table.notes)


def test_one_policy_is_not_policies(tmp_path: Path) -> None:
    data = collect_artefacts([make_transfer(tmp_path / "one", "conjunction", {}, 1).folder])
    (transfer,) = data.transfers
    kept = ("random", METHODS[1])
    scores = transfer.scores
    transfer.__dict__["episodes"] = [episode for episode in transfer.episodes if episode.method in kept]
    transfer.__dict__["scores"] = replace(
        scores,
        methods=tuple(method for method in scores.methods if method.method in kept),
        agents=tuple(agent for agent in scores.agents if agent.method in kept),
        comparisons=(),
        strips=(),
    )
    document = build_report(data)
    assert document.subtitle.startswith("1 method · 1 seed · ")
    assert "The policy was run, unchanged, in target domains. It was trained in the source alone." in words(
        document.sections
    )


def test_a_report_without_a_task_does_not_speak_of_one(tmp_path: Path) -> None:
    text = words(build_report(collect_artefacts([make_run(tmp_path, ()) / "beta-4"])).sections)
    assert "Training images of the encoder: 30 of the 30 frames without labels." in text
    assert "The encoder has one seed" in text
    for part in ("D_U", "transfer", "policies that share"):
        assert part not in text


def test_a_ratio_is_explained_where_there_is_one(tmp_path: Path) -> None:
    def note(name: str, level: float) -> str:
        made = make_transfer(tmp_path / name, "conjunction", {}, 1, lambda method, _: level * (method != "random"))
        table = comparison_table(TransferScores.load(made.folder))
        assert table is not None
        return table.notes[0]

    assert "Ratio:" in note("learned", 10.0)
    assert "Ratio:" not in note("not learned", -10.0)


def test_negative_returns_have_no_ratio(tmp_path: Path) -> None:
    def level(method: str, split: str) -> float:
        return -90.0 if method == "random" else -50.0

    made = make_transfer(tmp_path / "negative", "conjunction", {}, 1, level)
    table = comparison_table(TransferScores.load(made.folder))
    assert table is not None
    assert {row[3].text for row in table.rows} == {"–"}
    assert "Ratio:" not in table.notes[0]
    assert "times the return" not in words(build_report(collect_artefacts([made.folder])).sections)


def test_numbers_on_the_axis_of_scores_do_not_touch(tmp_path: Path) -> None:
    made = make_transfer(tmp_path / "large", "new_room", {}, 1, lambda method, _: -1600.0 * (method != "random"))
    figure = score_figure(TransferScores.load(made.folder))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for panel in figure.axes:
        low, high = sorted(panel.get_xlim())
        shown = [tick.label1 for tick in panel.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [label.get_window_extent(renderer) for label in shown]
        assert len(boxes) > 1
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_rewards_at_every_step_are_not_marked_one_by_one() -> None:
    assert is_dense(200, 200)
    assert not is_dense(20, 200)
    assert not is_dense(6, 6)
    assert (in_words(-1519.86), in_words(2.0), in_words(-0.5)) == ("−1519.9", "2", "−0.5")
    often, seldom = (
        draw([RecordedEpisode("", [np.zeros((8, 8, 3), np.uint8)] * 201, rewards, {})], 40, 5)
        for rewards in ([-1.0] * 200, [-1.0] * 20 + [0.0] * 180)
    )
    below = slice(often.height - 24, often.height)  # the time line; above it the legend has a mark of each color
    orange = np.array([213, 94, 0])
    assert not (np.asarray(often)[below, :, :3] == orange).all(-1).any()
    assert (np.asarray(seldom)[below, :, :3] == orange).all(-1).any()


def test_one_target_and_one_seed_have_no_mean_of_means(tmp_path: Path) -> None:
    table = aggregate_table(TransferScores.load(make_transfer(tmp_path / "one", "conjunction", {}, 1).folder))
    assert table is not None
    assert table.caption == "Normalized score in A in room 2, task conjunction"
    assert Cell("IQM") not in table.header
    assert not any("IQM" in note for note in table.notes)


def test_compute_speaks_of_a_transfer_where_there_is_one() -> None:
    encoder, transfer = artefact("encoder", "a"), artefact("transfer", "b")
    assert compute_table([encoder]).notes == ()
    assert [row[0].text for row in compute_table([encoder]).rows] == ["encoders"]
    (note,) = compute_table([encoder, encoder]).notes
    assert "transfer" not in note
    assert "The time of a transfer ends" in compute_table([encoder, transfer]).notes[0]


def test_versions_are_told_once_with_those_that_differ_beside_their_artefacts() -> None:
    one = artefact("frames", "rooms", {"torch": "2.13", "stable-baselines3": "2.9", "stable_baselines3": "2.9"})
    agents = [artefact("agent", name, {"torch": "2.13", "stable-baselines3": "2.9", "Pygame": "2.6"}) for name in "ab"]
    encoder = artefact("encoder", "new", {"torch": "2.14", "stable-baselines3": "2.9"})
    alike = provenance_section([one]).blocks
    assert alike[-1] == Code("torch 2.13, stable-baselines3 2.9, x86_64, 2 cores, no GPU")
    *_, shared, _, different = provenance_section([one, encoder, *agents]).blocks
    assert shared == Code("stable-baselines3 2.9, x86_64, 2 cores, no GPU")
    assert different == Bullets(
        ("frames `rooms`: torch 2.13.", "encoder `new`: torch 2.14.", "all of kind agent: torch 2.13, Pygame 2.6.")
    )


def artefact(kind: str, name: str, versions: dict[str, str] | None = None) -> Artefact:
    """Return an artefact of which only the card is read."""
    card = {
        "seed": 0,
        "wall_seconds": 60.0,
        "command": "darla",
        "inputs": {},
        "files": {name: ""},
        "versions": versions or {},
        "hardware": {"machine": "x86_64", "cores": 2, "gpus": []},
    }
    return Artefact(Path(name), kind, {"act": {"algorithm": "ppo", "observation": "images"}}, card)


@pytest.mark.parametrize(("factors", "said"), [(["hue"], "the factor hue"), (["hue", "size"], "the factors hue, size")])
def test_a_matrix_names_its_factors(factors: list[str], said: str) -> None:
    values = np.random.default_rng(0).integers(0, 4, (200, len(factors)))
    figure = matrix_block("mig", metrics.mig(values.astype(np.float32), values), "an encoder", factors)
    assert f"Matrix of latents (rows) by {said} (columns)" in figure.alt


def test_a_metric_that_counts_has_no_decimals() -> None:
    factors = np.random.default_rng(0).integers(0, 4, (200, 3))
    codes = factors.astype(np.float32)
    results = {"mig": metrics.mig(codes, factors), "active_units": metrics.active_units(codes, factors)}
    mig, active = metrics_table("", results).rows
    assert [cell.text for cell in active] == ["active units", "other", "3", "0", "3"]
    assert (mig[0].text, mig[4].text) == ("MIG", "1.000")


def score_of(mean: float, low: float | None = None) -> dict[str, float | None]:
    return {"mean": mean, "low": low, "high": low}


@pytest.mark.parametrize(("low", "said"), [(None, "One policy of each kind"), (0.1, "")])
def test_followers_of_one_seed_have_no_intervals(low: float | None, said: str) -> None:
    told = {"concept": score_of(0.5, low), "nothing": score_of(0.75, low)}
    table = success_of_followers(
        {"success": {"trained, source": told}, "difference": {"trained, source": {"nothing": score_of(-0.25, low)}}}
    )
    assert ("95 % intervals over seeds" in table.caption) == (low is not None)
    assert " ".join(table.notes).startswith(said)
    assert table.rows[0][3].text.startswith("−0.25")


def test_diversity_is_explained_where_it_was_measured() -> None:
    def table(diversity: float | None) -> Table:
        score = {"accuracy": 0.5, "diversity": diversity, "concepts": 2}
        return accuracy_table({"sym2img": {"symbol, held_out": score}})

    assert "uniform distribution" in table(0.1).caption
    assert "uniform distribution" not in table(None).caption
    assert table(None).rows[0][0].text == "symbol, held out"


def test_a_report_on_concepts_opens_with_what_they_show(tmp_path: Path) -> None:
    scores, followers = artefact("concept-scores", str(tmp_path)), artefact("followers", str(tmp_path / "followers"))
    symbols = {f"symbol, {which}": {"accuracy": value} for which, value in (("train", 0.9), ("held_out", 0.5))}
    write_json(scores.folder / "scores.json", {"sym2img": symbols})
    told = {"concept": score_of(0.8), "nothing": score_of(0.25)}
    write_json(followers.folder / "scores.json", {"success": {"trained, source": told}})
    text = concepts_opening([scores], [followers])
    assert text is not None
    assert text.words == (
        "Imagined images show the values that were asked for in 90 % of symbols of training and 50 % of symbols that "
        "training never named. With the instructions and in the rooms of training, agents take what is named in "
        "**80 %** told a concept, **25 %** told nothing; who ignores instructions is right in 25 %."
    )
    assert concepts_opening([], []) is None
