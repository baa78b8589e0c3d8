"""The progress of a study, read from its folder: every state of a job, while the study runs and while it does not."""

import json
import os
import threading
from pathlib import Path

import cell_work
import pytest
from command_line import darla, refusal

from darla.common import InputError, WorkerDiedError
from darla.common.jobs import log as job_log
from darla.common.jobs.locks import is_held, only_one
from darla.common.jobs.scheduler import Job, finish_jobs
from darla.experiments.status import LOGS, STUDY, StudyPart, StudyStatus, study_status, write_study


def study(folder: Path, **works: object) -> list[Job]:
    """Cells named after `works`, in a study that is written down; `b` needs `a`."""
    jobs = []
    for name, work in works.items():
        needs = (folder / "things" / "a",) if name == "b" else ()
        arguments: dict[str, object] = {"out": folder / "things" / name}
        if work in (cell_work.make, cell_work.make_slowly):
            arguments |= {"text": name, "needs": needs}
        jobs.append(Job(name, folder / "things" / name, work, arguments, needs, 2.0))  # type: ignore[arg-type]
    parts = [
        StudyPart(job.label, f"things/{job.label}", tuple(f"things/{need.name}" for need in job.needs), job.cost)
        for job in jobs
    ]
    (folder / "things").mkdir(parents=True)
    write_study(folder, "toy", parts, 1)
    return jobs


def states(found: StudyStatus) -> dict[str, str]:
    return {each.part.label: each.state for each in found.parts}


def test_before_anything_is_made(tmp_path: Path) -> None:
    study(tmp_path, a=cell_work.make, b=cell_work.make)
    found = study_status(tmp_path)
    assert states(found) == {"a": "ready", "b": "waiting"}
    assert not found.running
    assert not found.is_done
    assert found.seconds_left == 4.0


def test_what_is_done_and_what_failed(tmp_path: Path) -> None:
    jobs = study(tmp_path, a=cell_work.refuse, b=cell_work.make, c=cell_work.make)
    (failure,) = finish_jobs(jobs, 1, tmp_path / LOGS)
    assert (failure.job.label, failure.reason) == ("a", "a cannot be made of this")
    found = study_status(tmp_path)
    assert states(found) == {"a": "failed", "b": "waiting", "c": "done"}
    assert found.parts[0].message == "a cannot be made of this"
    assert (tmp_path / found.parts[0].log).is_file()
    assert "failed: a: a cannot be made of this (log:" in str(found)


def test_a_failed_part_is_tried_again(tmp_path: Path) -> None:
    finish_jobs(study(tmp_path, a=cell_work.refuse), 1, tmp_path / LOGS)
    with only_one(tmp_path):  # a new run has begun, and has not come to it yet
        log = tmp_path / LOGS / "things-a.log"
        log.write_text(log.read_text().replace("[darla 20", "[darla 19"))  # the failure was long ago
        assert states(study_status(tmp_path)) == {"a": "ready"}
    assert states(study_status(tmp_path)) == {"a": "failed"}


def test_a_running_part_says_where_and_how_far(tmp_path: Path) -> None:
    jobs = study(tmp_path, a=cell_work.make_slowly)
    seen: list[StudyStatus] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(study_status(tmp_path))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with only_one(tmp_path):
        finish_jobs(jobs, 1, tmp_path / LOGS)
    over.set()
    watcher.join()
    running = [found for found in seen if states(found) == {"a": "running"}]
    assert running
    assert all(found.running for found in running)
    assert running[0].parts[0].host
    assert "running on " in str(running[0])
    assert states(study_status(tmp_path)) == {"a": "done"}


def test_a_part_whose_process_has_gone_is_interrupted(tmp_path: Path) -> None:
    jobs = study(tmp_path, a=cell_work.die)
    with pytest.raises(WorkerDiedError, match="died of a kill"):
        finish_jobs(jobs, 1, tmp_path / LOGS)
    assert states(study_status(tmp_path)) == {"a": "interrupted"}


def test_the_estimate_learns_from_what_is_done(tmp_path: Path) -> None:
    study(tmp_path, a=cell_work.make, c=cell_work.make)
    (tmp_path / "things" / "a").mkdir()
    (tmp_path / "things" / "a" / "card.json").write_text(json.dumps({"wall_seconds": 6.0}))
    assert study_status(tmp_path).seconds_left == 6.0  # expected 2, as `a` was, and that took three times as long


def test_a_finished_study_has_nothing_left(tmp_path: Path) -> None:
    finish_jobs(study(tmp_path, a=cell_work.make), 1, tmp_path / LOGS)
    found = study_status(tmp_path)
    assert found.is_done
    assert found.seconds_left == 0.0
    assert str(found).startswith("toy: all 1 jobs are done")


def test_programs_get_all_of_it_as_json(tmp_path: Path) -> None:
    finish_jobs(study(tmp_path, a=cell_work.refuse, b=cell_work.make), 1, tmp_path / LOGS)
    told = json.loads(darla("study", "status", tmp_path, "--json").stdout)
    assert told["counts"] == {"done": 0, "running": 0, "interrupted": 0, "failed": 1, "ready": 0, "waiting": 1}
    assert [part["state"] for part in told["parts"]] == ["failed", "waiting"]
    assert told["parts"][0]["message"] == "a cannot be made of this"


def test_no_study_and_a_damaged_one_are_told_in_a_sentence(tmp_path: Path) -> None:
    assert "no study has been started in" in refusal("study", "status", tmp_path)
    study(tmp_path / "x", a=cell_work.make)
    (tmp_path / "x" / STUDY).write_text('{"format": 1}')
    assert "cannot be read as a study" in refusal("study", "status", tmp_path / "x")


def test_a_second_start_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with only_one(tmp_path):
        assert is_held(tmp_path)
        said = refusal("study", "run", "tiny", "--out", tmp_path)
    assert said.startswith(f"darla study run: another darla process ({os.getpid()} on ")
    assert not is_held(tmp_path)
    assert not (tmp_path / STUDY).exists()


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert job_log.last_mark(log) is None
    log.write_text(f"{job_log.started()}\nstep 1\nstep 2\n")
    mark = job_log.last_mark(log)
    assert mark is not None
    assert (mark.kind, bool(mark.host), bool(mark.process)) == ("started", True, True)
    assert job_log.last_line(log) == "step 2"
    log.write_text(log.read_text() + job_log.failed("two\nlines") + "\n")
    mark = job_log.last_mark(log)
    assert mark is not None
    assert (mark.kind, mark.reason) == ("failed", "two lines")
    log.write_text(log.read_text() + job_log.started() + "\n")
    assert job_log.last_line(log) == "", "what an earlier start printed is old news"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("study.json", '{"school": "mine"}', "study.json is not darla's"),
        ("study.json", "[1", "study.json is not darla's"),
        ("table.md", "mine", "table.md would be replaced"),
        ("config.json", "{}", "is the folder of an artefact"),
    ],
)
def test_files_that_no_study_wrote_are_not_replaced(name: str, content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=sentence):
        write_study(tmp_path, "toy", [], 1, ("table.md",))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == content


def test_a_study_replaces_its_own_tables(tmp_path: Path) -> None:
    write_study(tmp_path, "toy", [], 1, ("table.md",))
    (tmp_path / "table.md").write_text("of the first run")
    write_study(tmp_path, "toy", [], 1, ("table.md",))


@pytest.mark.parametrize(
    "card", ["null", "[]", "{", '{"wall_seconds": null}', '{"wall_seconds": "x"}', '{"wall_seconds": -1}']
)
def test_a_damaged_card_is_named_and_does_not_hide_the_other_parts(card: str, tmp_path: Path) -> None:
    finish_jobs(study(tmp_path, a=cell_work.make, b=cell_work.make), 1, tmp_path / LOGS)
    (tmp_path / "things" / "a" / "card.json").write_text(card)
    found = study_status(tmp_path)
    assert states(found) == {"a": "failed", "b": "done"}
    assert "failed: a: things/a/card.json is damaged; delete things/a" in str(found)


@pytest.mark.parametrize(
    "altered",
    [{"parts": None}, {"parts": [1]}, {"parts": [{}]}, {"workers": "x"}, {"name": 3}, {"started": 5}, {"format": "1"},
     {"started": "yesterday"}, {"parts": [{"label": 1, "folder": 2, "needs": [], "cost": 1.0}]}],
)  # fmt: skip
def test_a_record_of_another_form_is_refused_in_a_sentence(altered: dict[str, object], tmp_path: Path) -> None:
    study(tmp_path, a=cell_work.make)
    record = json.loads((tmp_path / STUDY).read_text())
    (tmp_path / STUDY).write_text(json.dumps({**record, **altered}))
    with pytest.raises(InputError, match=r"study\.json"):
        study_status(tmp_path)


def test_what_only_looks_like_a_mark_in_a_log_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"{job_log.started()}\n[darla yesterday] done in 3 s\n[darla 2026-01-31] failed: no\n")
    mark = job_log.last_mark(log)
    assert mark is not None
    assert mark.kind == "started"
