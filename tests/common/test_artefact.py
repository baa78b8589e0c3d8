"""An artefact is whole or it is not one; a folder is never filled by two different requests."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from darla.common import (
    Artefact,
    ArtefactError,
    InputError,
    complete_artefact,
    is_complete,
    open_artefact,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.artefact import card_checksum
from darla.common.errors import is_out_of_memory
from darla.common.files import save_array, save_tensors, sha256, write_bytes, write_json
from darla.common.jobs.locks import only_one
from darla.common.jobs.stopwatch import SECONDS

CONFIG = {"steps": 3, "nested": {"beta": 4.0, "shape": (64, 64)}}


def make(folder: Path, weight: float = 1.0, config: dict = CONFIG, wall_seconds: float = 1.0) -> Artefact:
    start_artefact(folder, "album", config)
    (folder / "checkpoint").mkdir(exist_ok=True)
    write_bytes(folder / "checkpoint" / "state", b"only to resume")
    save_tensors(folder / "model.safetensors", {"weight": torch.full((4,), weight)})
    return complete_artefact(folder, "album", config, seed=0, inputs={"frames": "abc"}, wall_seconds=wall_seconds)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    made = make(tmp_path / "a")
    read = Artefact.load(tmp_path / "a", "album")
    assert read.config == {"steps": 3, "nested": {"beta": 4.0, "shape": [64, 64]}}
    assert read.digest == made.digest
    assert torch.equal(read.tensors()["weight"], torch.ones(4))
    assert read.card["inputs"] == {"frames": "abc"}
    assert not (tmp_path / "a" / "checkpoint").exists()


def test_digest_depends_on_content_and_not_on_the_card(tmp_path: Path) -> None:
    one, same, other = make(tmp_path / "a"), make(tmp_path / "b"), make(tmp_path / "c", weight=2.0)
    assert one.digest == same.digest
    assert one.digest != other.digest
    slower = make(tmp_path / "d", wall_seconds=99.0)
    assert slower.card != one.card
    assert Artefact.load(tmp_path / "d").digest == one.digest


def change_card(folder: Path, **values: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    write_json(folder / "card.json", {**card, **values})


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: truncate(folder / "model.safetensors"), "model.safetensors is not the file"),
        (lambda folder: alter(folder / "model.safetensors"), "model.safetensors is not the file"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "card.json").unlink(), "not a finished artefact"),
        (lambda folder: truncate(folder / "card.json"), "damaged"),
        (lambda folder: (folder / "card.json").write_text("[]"), "damaged"),
        (lambda folder: alter(folder / "config.json"), "config.json is not the file"),
        (lambda folder: change_card(folder, seed=8), "not as it was written"),
        (lambda folder: change_card(folder, files={}), "not as it was written"),
        (lambda folder: change_card(folder, files=None), "files is None"),
        (lambda folder: change_card(folder, sha256=None), "not as it was written"),
        (lambda folder: change_card(folder, note="mine"), "not as it was written"),
        (lambda folder: change_card(folder, format=1), "format 1"),
        (lambda folder: write_bytes(folder / "other.csv", b"1,2"), "other.csv is not among the files"),
        (lambda folder: write_bytes(folder / "below" / "other.csv", b"1,2"), "below/other.csv is not among the files"),
    ],
)
def test_a_damaged_artefact_is_refused_in_one_sentence(tmp_path: Path, damage, sentence: str) -> None:
    make(tmp_path / "a")
    damage(tmp_path / "a")
    with pytest.raises(InputError, match=sentence) as caught:
        Artefact.load(tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_an_artefact_inside_another_is_one_that_it_was_made_from(tmp_path: Path) -> None:
    def made(folder: Path, seed: int, inputs: dict[str, str]) -> Artefact:
        start_artefact(folder, "inner", {})
        write_bytes(folder / "weights", b"weights")
        return complete_artefact(folder, "inner", {}, seed=seed, inputs=inputs, wall_seconds=0.0)

    inner = made(tmp_path / "outer" / "dae", 1, {})
    # Written into the folder of the outer one before that is finished, as the DAE of an encoder is.
    shutil.move(tmp_path / "outer" / "dae", tmp_path / "dae")
    start_artefact(tmp_path / "outer", "inner", {})
    shutil.move(tmp_path / "dae", tmp_path / "outer" / "dae")
    complete_artefact(tmp_path / "outer", "inner", {}, seed=0, inputs={"dae": inner.digest}, wall_seconds=0.0)
    Artefact.load(tmp_path / "outer")

    card = tmp_path / "outer" / "dae" / "card.json"
    whole = json.loads(card.read_text())
    for altered, words in (({**whole, "seed": 2}, "its sha256 differs"), (None, "dae is not what it was made from")):
        content = altered or {**whole, "seed": 2}
        if altered is None:
            content["sha256"] = card_checksum(content)
        write_json(card, content)
        with pytest.raises(ArtefactError, match=words):
            Artefact.load(tmp_path / "outer")


def test_the_wrong_kind_is_named(tmp_path: Path) -> None:
    make(tmp_path / "a")
    with pytest.raises(InputError, match="holds an 'album' artefact, but an 'essay' artefact is needed"):
        Artefact.load(tmp_path / "a", "essay")
    with pytest.raises(InputError, match="no such folder"):
        Artefact.load(tmp_path / "nowhere")


def test_an_unfinished_folder_resumes_only_the_same_request(tmp_path: Path) -> None:
    folder = start_artefact(tmp_path / "a", "album", CONFIG)
    assert not is_complete(folder)
    assert start_artefact(folder, "album", CONFIG) == folder
    write_bytes(folder / "history.csv", b"step\n")
    changed = {**CONFIG, "nested": {"beta": 1.0, "shape": (64, 64)}}
    with pytest.raises(InputError, match=r"nested\.beta was 4\.0 and is now 1\.0"):
        start_artefact(folder, "album", changed)
    with pytest.raises(InputError, match="already holds an 'album'"):
        start_artefact(folder, "essay", CONFIG)


def test_a_difference_in_long_lists_is_told_in_a_sentence(tmp_path: Path) -> None:
    digests = [f"{number:064x}" for number in range(50)]
    folder = start_artefact(tmp_path / "a", "report", {"artefacts": digests})
    write_bytes(folder / "report.md", b"begun")
    with pytest.raises(InputError, match=r"artefacts was a list of 50 and is now a list of 49"):
        start_artefact(folder, "report", {"artefacts": digests[1:]})


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not empty"):
        start_artefact(tmp_path, "album", CONFIG)
    with pytest.raises(InputError, match="is a file"):
        start_artefact(tmp_path / "thesis.tex", "album", CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"kept": True})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"bad": float("nan")})
    with pytest.raises(ValueError, match="allow_pickle"):
        save_array(tmp_path / "a.npy", np.array([object()]))
    assert json.loads((tmp_path / "a.json").read_text()) == {"kept": True}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_an_open_artefact_is_not_read_again(tmp_path: Path) -> None:
    artefact = make(tmp_path / "a")
    alter(tmp_path / "a" / "model.safetensors")
    assert open_artefact(artefact, "album") is artefact
    with pytest.raises(ArtefactError, match=r"model\.safetensors is not the file"):
        open_artefact(tmp_path / "a", "album")


def test_an_open_artefact_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="holds an 'album' artefact, but an 'essay' artefact is needed"):
        open_artefact(make(tmp_path / "a"), "essay")


def test_what_is_wrong_with_an_artefact_is_an_artefact_error(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such folder"):
        Artefact.load(tmp_path / "nowhere")
    make(tmp_path / "a")
    with pytest.raises(ArtefactError, match="already holds an 'album' artefact"):
        start_artefact(tmp_path / "a", "essay", CONFIG)
    (tmp_path / "a" / "card.json").write_text("{")
    with pytest.raises(ArtefactError, match="is not JSON"):
        Artefact.load(tmp_path / "a")


def test_what_is_kept_beside_an_artefact_may_change(tmp_path: Path) -> None:
    made = make(tmp_path / "a")
    for name in ("tensorboard/events", "watched/metrics.csv", ".DS_Store"):
        write_bytes(tmp_path / "a" / name, b"new")
    assert Artefact.load(tmp_path / "a").digest == made.digest


def test_damage_of_a_begun_record_that_json_does_not_notice_is_not_kept(tmp_path: Path) -> None:
    whole = start_artefact(tmp_path / "a", "album", {"width": 1})
    content = (whole / "config.json").read_bytes()
    (whole / "config.json").write_bytes(content.rstrip(b"\n"))
    start_artefact(whole, "album", {"width": 1})
    assert (whole / "config.json").read_bytes() == content


def test_a_folder_that_an_early_kill_left_can_be_begun(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / ".config.json.123.partial", b"{")
    (tmp_path / "a" / "checkpoint").mkdir()
    made = make(tmp_path / "a")
    assert set(made.card["files"]) == {"config.json", "model.safetensors"}


def test_a_folder_that_is_taken_away_while_a_stage_runs_is_no_success(tmp_path: Path) -> None:
    start_artefact(tmp_path / "a", "album", CONFIG)
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(ArtefactError, match="removed or altered while it was being written"):
        complete_artefact(tmp_path / "a", "album", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    assert not (tmp_path / "a").exists()


@writes_nothing_if_refused
def stage(folder: Path, config: dict, writes: int = 0, error: type[Exception] | None = None) -> Artefact:
    start_artefact(folder, "album", config)
    (folder / "checkpoint").mkdir(exist_ok=True)
    for number in range(writes):
        write_bytes(folder / "checkpoint" / str(number), b"state")
    if error:
        raise error("no")
    return complete_artefact(folder, "album", config, seed=0, inputs={}, wall_seconds=1.0)


@pytest.mark.parametrize("error", [InputError, MemoryError])
def test_a_stage_that_refuses_its_input_leaves_no_folder(error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        stage(tmp_path / "runs" / "a", {"width": -1}, error=error)
    assert list(tmp_path.iterdir()) == []
    stage(tmp_path / "runs" / "a", {"width": 1})


@pytest.mark.parametrize("ask", [lambda: np.repeat(np.zeros(1), 2**62), lambda: torch.empty(2**62)])
def test_a_stage_that_asks_for_more_than_any_memory_leaves_no_folder(ask: Callable[[], object], tmp_path: Path) -> None:
    @writes_nothing_if_refused
    def greedy() -> None:
        start_artefact(tmp_path / "a", "album", {})
        ask()

    with pytest.raises((ValueError, RuntimeError)) as caught:
        greedy()
    assert is_out_of_memory(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays_when_a_stage_refuses_its_input(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError):
        stage(tmp_path / "a", {"width": -1}, error=InputError)
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_work_that_can_be_resumed_is_kept(error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        stage(tmp_path / "a", {"width": 1}, 1, error)
    sentence = "begun with another configuration: width was 1 and is now 2; .*delete .*a to begin anew"
    with pytest.raises(InputError, match=sentence):
        stage(tmp_path / "a", {"width": 2})
    stage(tmp_path / "a", {"width": 1})


def test_a_folder_in_which_nothing_was_made_is_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path / "a", {"width": 1}, 0, KeyboardInterrupt)
    write_json(tmp_path / "a" / "checkpoint" / SECONDS, 3.0)
    write_bytes(tmp_path / "a" / "tensorboard" / "events", b"of the first try")
    made = stage(tmp_path / "a", {"width": 2})
    assert made.config == {"width": 2}
    assert not (tmp_path / "a" / "tensorboard").exists()
    assert Artefact.load(tmp_path / "a").digest == made.digest


def test_a_folder_in_which_nothing_was_made_yet_belongs_to_the_process_at_work(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("darla.common.jobs.locks._PATIENCE", 0.2)
    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path / "a", {"width": 1}, 0, KeyboardInterrupt)
    with only_one(tmp_path / "a" / "checkpoint"), pytest.raises(InputError, match="is working in"):
        stage(tmp_path / "a", {"width": 2})
    assert json.loads((tmp_path / "a" / "config.json").read_text())["config"] == {"width": 1}


def test_a_finished_artefact_stays_when_another_request_is_refused(tmp_path: Path) -> None:
    made = stage(tmp_path / "a", {"width": 1})
    with pytest.raises(InputError, match="was made with another configuration"):
        stage(tmp_path / "a", {"width": 2}, error=InputError)
    assert Artefact.load(tmp_path / "a").digest == made.digest


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_named_and_nothing_is_written(number: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"see\.shape\[1\] is {number}, but must be finite"):
        start_artefact(tmp_path / "a", "album", {"see": {"beta": 1.0, "shape": (1, number)}})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", 8), ("extra", {"supervision": "labels"}), ("inputs", {"frames": "abd"})],
)
def test_the_digest_covers_the_facts_on_the_card_so_that_an_altered_one_breaks_the_chain(
    tmp_path: Path, key: str, value: object
) -> None:
    made = make(tmp_path / "a")
    card = {**json.loads((tmp_path / "a" / "card.json").read_text()), key: value}
    write_json(tmp_path / "a" / "card.json", {**card, "sha256": card_checksum(card)})  # sealed again
    assert Artefact.load(tmp_path / "a").digest != made.digest


def test_the_digest_covers_what_no_card_has(tmp_path: Path) -> None:
    made = make(tmp_path / "a")
    card = json.loads((tmp_path / "a" / "card.json").read_text())
    card["comment"] = card.pop("commit")
    write_json(tmp_path / "a" / "card.json", {**card, "sha256": card_checksum(card)})
    assert Artefact.load(tmp_path / "a").digest != made.digest


def test_a_card_of_another_kind_is_refused_even_if_it_was_sealed_again(tmp_path: Path) -> None:
    make(tmp_path / "a")
    card = {**json.loads((tmp_path / "a" / "card.json").read_text()), "kind": "essay"}
    write_json(tmp_path / "a" / "card.json", {**card, "sha256": card_checksum(card)})
    with pytest.raises(ArtefactError, match=r"config\.json is damaged: it is not the configuration of an 'essay'"):
        Artefact.load(tmp_path / "a")


@pytest.mark.parametrize("content", [{}, {"kind": "frames"}, {"kind": "frames", "config": None}, []])
def test_a_configuration_of_another_form_is_refused_even_if_it_was_sealed_again(tmp_path: Path, content) -> None:
    make(tmp_path / "a")
    write_json(tmp_path / "a" / "config.json", content)
    card = json.loads((tmp_path / "a" / "card.json").read_text())
    card["files"]["config.json"] = sha256(tmp_path / "a" / "config.json")
    write_json(tmp_path / "a" / "card.json", {**card, "sha256": card_checksum(card)})
    with pytest.raises(ArtefactError, match=r"config\.json is damaged"):
        Artefact.load(tmp_path / "a")


@pytest.mark.parametrize("note", [None, [], 3, "x", {"numpy": None}])
def test_a_damaged_note_of_packages_is_left_out(tmp_path: Path, note) -> None:
    start_artefact(tmp_path / "a", "essay", CONFIG)
    write_json(tmp_path / "a" / "checkpoint" / "packages-1.json", note)
    complete_artefact(tmp_path / "a", "essay", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    assert Artefact.load(tmp_path / "a").kind == "essay"


def test_what_a_killed_process_was_writing_is_removed_when_the_work_is_done(tmp_path: Path) -> None:
    start_artefact(tmp_path / "a", "essay", CONFIG)
    for name in (".card.json.1.partial", "figures/.01.png.2.partial"):
        (tmp_path / "a" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_text("half")
    complete_artefact(tmp_path / "a", "essay", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    assert not list((tmp_path / "a").rglob(".*.partial"))


def test_a_folder_that_was_removed_while_it_was_written_is_finished_by_the_same_command(tmp_path: Path) -> None:
    folder = start_artefact(tmp_path / "a", "essay", CONFIG)
    shutil.rmtree(folder)
    write_json(folder / "later.json", {})  # the stage goes on
    with pytest.raises(ArtefactError, match="was removed or altered while it was being written"):
        complete_artefact(folder, "essay", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    start_artefact(folder, "essay", CONFIG)
    complete_artefact(folder, "essay", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    assert Artefact.load(folder).kind == "essay"


def test_the_digest_does_not_depend_on_where_inputs_lie(tmp_path: Path) -> None:
    start_artefact(tmp_path / "a", "essay", CONFIG)
    made = complete_artefact(
        tmp_path / "a", "essay", CONFIG, seed=0, inputs={}, wall_seconds=1.0, paths={"encoder_path": "../encoder"}
    )
    start_artefact(tmp_path / "b", "essay", CONFIG)
    moved = complete_artefact(tmp_path / "b", "essay", CONFIG, seed=0, inputs={}, wall_seconds=1.0)
    assert made.digest == moved.digest


def test_a_folder_that_was_removed_and_written_into_again_is_finished_by_the_same_command(tmp_path: Path) -> None:
    folder = tmp_path / "a"

    @writes_nothing_if_refused
    def stage(removed: bool) -> Artefact:
        start_artefact(folder, "album", CONFIG)
        if removed:
            shutil.rmtree(folder)
            write_bytes(folder / "strips" / "1.png", b"picture")
            raise ArtefactError("a result is missing")
        write_bytes(folder / "strips" / "1.png", b"picture")
        return complete_artefact(folder, "album", CONFIG, seed=0, inputs={}, wall_seconds=1.0)

    with pytest.raises(ArtefactError, match="a result is missing"):
        stage(removed=True)
    assert stage(removed=False).kind == "album"
