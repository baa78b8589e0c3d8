"""Agents that follow instructions, from concepts of rooms to a table and a film strip."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import darla
from darla.cli import main as cli
from darla.common import Artefact, InputError
from darla.common.csv_rows import read_rows
from darla.common.files import read_json, save_tensors
from darla.envs.domains.value_codes import ANY, excludes
from darla.envs.image_data.rooms import Rooms
from darla.experiments.follow_instructions import FollowConfig, draw_instructions, follow, score, table
from darla.vision import SeeConfig
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.operators import parse_instruction
from darla.vision.concepts.space import space_of
from darla.vision.training.config import TrainingConfig

QUICK = TrainingConfig(steps=4, batch_size=8, log_every=2, checkpoint_every=2, precision="float32", device="cpu")
SHORT = FollowConfig(seeds=2, steps=1, searches=12, evaluated=10, pairs=4)
SPACE = space_of(Rooms())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("followers")
    assert cli.main(["collect", "rooms", "--frames", "64", "--out", str(folder / "frames")]) == 0
    darla.see(folder / "frames", folder / "encoder", SeeConfig().change(latent_dim=4, training=QUICK))
    config = ConceptsConfig(concepts=8, images=2, held_out=6, training=QUICK, operators=QUICK)
    darla.associate(folder / "encoder", folder / "scan", config)
    return folder


def test_recombined_instructions_have_values_of_training_in_pairs_that_it_had_not() -> None:
    texts = draw_instructions(SPACE, 20, seed=0)
    meanings = {
        name: np.stack([parse_instruction(SPACE, text).meaning(SPACE) for text in each]) for name, each in texts.items()
    }
    rows = {name: set(SPACE.rows_of(each).tolist()) for name, each in meanings.items()}
    assert len(rows["trained"]) == 16 + 16 + 3 + 20
    assert len(rows["recombined"]) == 20
    assert not rows["trained"] & rows["recombined"]
    for column in (0, 2, 3):
        assert set(meanings["recombined"][:, column]) <= set(meanings["trained"][:, column])
    assert (meanings["trained"][:, 1] == ANY).all()  # no instruction in training speaks of floors
    assert (meanings["new words"][:, 1] >= 8).all()
    assert "EXCEPT" not in " ".join(texts["recombined"] + texts["trained"])
    for operator in ("AND", "IN COMMON", "IGNORE"):
        assert any(f") {operator} (" in text for text in texts["recombined"])
    assert draw_instructions(SPACE, 20, seed=1) != texts
    with pytest.raises(InputError, match="pairs is 999, but must be at most 176"):
        draw_instructions(SPACE, 999, seed=0)


def test_excluded_values_are_those_of_training_each_alone_and_some_beside_another_value() -> None:
    texts = draw_instructions(SPACE, 20, seed=0)
    excluded = np.stack([parse_instruction(SPACE, text).meaning(SPACE) for text in texts["excluded"]])
    assert len(np.unique(excluded, axis=0)) == 16 + 16 + 3 + 20
    assert (excludes(excluded).sum(axis=1) == 1).all()
    assert ((excluded >= 0).sum(axis=1) == [0] * 35 + [1] * 20).all()
    assert (excluded[:, 1] == ANY).all()  # nothing of floors
    assert "EXCEPT object=key" in texts["excluded"]
    assert any(text.startswith("(object=") for text in texts["excluded"])
    assert any(") EXCEPT (object=" in text for text in texts["excluded"])


def test_a_run_has_one_row_for_each_episode_and_is_resumed_policy_by_policy(runs: Path, tmp_path: Path) -> None:
    run = follow(runs / "scan", tmp_path / "out", SHORT)
    rows = read_rows(run.folder / "episodes.csv", dict)
    assert len(rows) == 2 * 3 * 7 * 10
    asked = {(row["told"], row["seed"]): [] for row in rows}  # type: ignore[var-annotated]
    for row in rows:
        asked[row["told"], row["seed"]].append((row["rooms"], row["instruction"]))
    assert len(asked) == 6
    assert len({tuple(each) for each in asked.values()}) == 1  # all are tried in the same searches
    results = read_json(run.folder / "scores.json")
    assert results["leak"] == {"target": "visual"}
    assert set(results["success"]) == {
        "trained, source", "recombined, source", "excluded, source",
        "trained, target", "recombined, target", "excluded, target", "new words, target",
    }  # fmt: skip
    assert np.asarray(Image.open(run.folder / "strip.png")).shape[0] > 2 * 64
    page = darla.report([run.folder], tmp_path / "report").folder / "report.md"
    assert "| recombined, target " in page.read_text(encoding="utf-8")
    assert "Leak level of the target: *visual*, some factor values are new to the policy" in page.read_text(
        encoding="utf-8"
    )
    again = follow(runs / "scan", tmp_path / "again", SHORT)
    assert again.digest == run.digest
    assert follow(runs / "scan", tmp_path / "out", SHORT).digest == run.digest


def test_concepts_of_before_there_was_except_are_tried_without_it(runs: Path, tmp_path: Path) -> None:
    run = Artefact.load(runs / "scan")
    shutil.copytree(run.folder, tmp_path / "old")
    tensors = run.tensors("operators.safetensors")
    old = {name: value[:6] if name.startswith("layers.2.") else value for name, value in tensors.items()}
    save_tensors(tmp_path / "old" / "operators.safetensors", old)
    config = {name: value for name, value in run.config.items() if name != "operators"}
    told = replace(SHORT, told=("symbol",), seeds=1, searches=2, evaluated=2)
    followers = follow(replace(run, folder=tmp_path / "old", config=config), tmp_path / "out", told)
    assert set(read_json(followers.folder / "instructions.json")) == {"trained", "recombined", "new words"}
    assert not any("excluded" in name for name in read_json(followers.folder / "scores.json")["success"])


def test_differences_are_paired_by_seed() -> None:
    rows = [
        {"told": told, "seed": seed, "instructions": "trained", "rooms": "source", "success": index < right}
        for told, rights in (("concept", (8, 6, 9)), ("symbol", (6, 4, 7)))
        for seed, right in enumerate(rights)
        for index in range(10)
    ]
    results = score(rows)
    assert results["success"]["trained, source"]["concept"]["seeds"] == [0.8, 0.6, 0.9]
    difference = results["difference"]["trained, source"]["symbol"]
    # Every seed gains 0.2, so there is nothing for the interval to be unsure of.
    np.testing.assert_allclose([difference[each] for each in ("mean", "low", "high")], 0.2)
    assert "| trained, source | 0.77 (" in table(results)
    assert "0.20 (0.20 to 0.20)" in table(results)


def test_a_table_from_a_file_is_that_of_the_run() -> None:
    rows = [
        {"told": told, "seed": 0, "instructions": asked, "rooms": rooms, "success": told == "symbol"}
        for told in ("symbol", "nothing", "concept")  # in an order of its own; the first is compared with the others
        for asked, rooms in (
            ("trained", "source"),
            ("new words", "target"),
            ("excluded", "target"),
            ("recombined", "target"),
        )
    ]
    results = score(rows)
    assert table(json.loads(json.dumps(results, sort_keys=True))) == table(results)
    head, _, first, *others = table(results).splitlines()
    assert [line.split(" | ")[0] for line in others[:3]] == [
        "| recombined, target", "| excluded, target", "| new words, target",
    ]  # fmt: skip
    assert head == "| instructions, rooms | symbol | concept | nothing | symbol − concept | symbol − nothing |"
    assert first == "| trained, source | 1.00 | 0.00 | 0.00 | 1.00 | 1.00 |"


def test_the_command_prints_the_table(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["concepts", "act", str(runs / "scan"), "--out", str(tmp_path / "out"), "--steps", "1"]
    assert cli.main([*words, "--seeds", "1", "--searches", "6", "--evaluated", "4"]) == 0
    printed = capsys.readouterr().out
    assert "| instructions, rooms | concept | symbol | nothing |" in printed
    assert "concept − symbol" in printed


def test_what_cannot_be_used_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'concept'"):
        FollowConfig(told=("concepts",))
    with pytest.raises(InputError, match="seeds must be at least 1"):
        FollowConfig(seeds=0)
    assert cli.main(["collect", "sprites", "--frames", "64", "--out", str(tmp_path / "frames")]) == 0
    darla.see(tmp_path / "frames", tmp_path / "encoder", SeeConfig().change(latent_dim=4, training=QUICK))
    config = ConceptsConfig(concepts=8, images=2, held_out=6, training=QUICK, operators=QUICK)
    run = darla.associate(tmp_path / "encoder", tmp_path / "scan", config)
    with pytest.raises(InputError, match="need concepts of the image data `rooms`"):
        follow(run, tmp_path / "out", SHORT)
    assert not (tmp_path / "out").exists()
