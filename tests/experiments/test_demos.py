"""A whole study: every stage, interrupted and resumed, and nothing made twice."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import MORE, darla, hear_ctrl_c, leftovers
from made_up_run import make_run
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from darla.common import Artefact
from darla.common.jobs.scheduler import Job
from darla.common.tracking.event_files import open_event_writer
from darla.experiments import demos
from darla.experiments.plan import plan
from darla.reports.tables.study import study_table
from darla.vision.presets import encoder

TINY = demos.demo_study("tiny")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study through the command line, stopped with Ctrl-C on the way."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    words = [sys.executable, "-m", "darla", "demo", "--preset", "tiny", "--out", str(folder)]
    first = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
        env={**os.environ, **MORE},
    )
    while not list(folder.glob("frames/*/card.json")) and first.poll() is None:
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(first.pid, signal.SIGINT)
    _, output = first.communicate(timeout=900)
    assert first.returncode == 130, output
    assert output.splitlines()[-1] == "darla demo: stopped; the same command resumes where it stopped"
    assert "Traceback" not in output
    done = darla("demo", "--preset", "tiny", "--out", folder)
    assert "of 4 jobs are done already" in done.stderr
    (folder / "printed").write_text(done.stdout)
    return folder


def test_every_stage_is_there_and_the_table_names_every_method(runs: Path) -> None:
    result = {Artefact.load(path.parent).kind for path in runs.rglob("card.json")}
    assert result == {"frames", "encoder", "agent", "transfer", "report"}
    table = (runs / "table.md").read_text()
    assert (runs / "printed").read_text().strip() == table.strip()
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row.strip("-")]  # without the line below the heading
    assert rows == ["method", "random", "end to end", "β-VAE"]
    assert "A in room 2" in table
    assert not leftovers(runs)
    (page,) = runs.glob("reports/*/report.html")
    assert "A in room 2" in page.read_text()


def test_a_finished_study_is_only_printed(runs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*") if path.is_file()}
    again = darla("demo", "--preset", "tiny", "--out", runs)
    assert again.stdout == (runs / "printed").read_text()
    assert "4 of 4 jobs are done already" in again.stderr
    after = {path: path.stat().st_mtime_ns for path in runs.rglob("*") if path.is_file()}
    changed = {path.name for path in after if after[path] != before.get(path)}
    tables = {"table.md", "paper-table.md", "paper-table.csv", "paper-table.tex", "scores.csv"}
    assert changed <= {".lock", "study.json", *tables}


def test_tasks_with_the_same_domains_share_what_is_made_of_them(tmp_path: Path) -> None:
    one = plan(TINY, tmp_path)
    three = plan(replace(TINY, tasks=("conjunction", "recolor", "unseen")), tmp_path)
    assert {job.folder for job in three.jobs} == {job.folder for job in one.jobs}
    assert len({part.folder for part in three.transfers}) == 3
    assert three.transfers[0].folder == one.transfers[0].folder
    all_four = plan(replace(TINY, tasks=("conjunction", "sim2sim")), tmp_path)
    kinds = sorted(job.folder.parent.name for job in all_four.jobs)
    assert kinds == ["agents", "agents", "agents", "encoders", "encoders", "frames", "frames"]


def test_a_seed_more_makes_only_what_is_new(tmp_path: Path) -> None:
    one, two = plan(TINY, tmp_path), plan(replace(TINY, seeds=(0, 1)), tmp_path)
    new = {job.folder for job in two.jobs} - {job.folder for job in one.jobs}
    assert sorted(folder.parent.name for folder in new) == ["agents", "agents", "encoders"]
    assert {job.folder for job in one.jobs} < {job.folder for job in two.jobs}


def test_policies_can_share_encoders(tmp_path: Path) -> None:
    shared = plan(replace(TINY, seeds=(0, 1, 2, 3), encoder_seeds=(0, 1)), tmp_path)
    encoders = [job for job in shared.jobs if job.folder.parent.name == "encoders"]
    agents = [job for job in shared.jobs if job.label.startswith("agent of β-VAE")]
    assert len(encoders) == 2
    assert [job.arguments["encoder"] for job in agents] == [encoders[n % 2].folder for n in range(4)]
    assert [job.needs for job in agents] == [(encoders[n % 2].folder,) for n in range(4)]


def test_encoders_of_one_seed_share_their_denoiser(tmp_path: Path) -> None:
    def method(name: str, beta: float) -> object:
        config = encoder("tiny").change(loss="perceptual", beta=beta)
        return replace(TINY.methods[1], name=name, see=config)

    study = replace(TINY, methods=(method("β = 1", 1.0), method("β = 4", 4.0)), seeds=(0, 1))  # type: ignore[arg-type]
    jobs = plan(study, tmp_path).jobs
    denoisers = [job for job in jobs if job.folder.parent.name == "denoisers"]
    encoders = [job for job in jobs if job.folder.parent.name == "encoders"]
    assert len(denoisers) == 2
    assert len(encoders) == 4
    assert all(job.arguments["dae"] in job.needs for job in encoders)


def test_names_do_not_decide_where_things_go(tmp_path: Path) -> None:
    renamed = replace(TINY, methods=tuple(replace(method, name=f"my {method.name}") for method in TINY.methods))
    made, elsewhere = plan(TINY, tmp_path / "made"), plan(renamed, tmp_path / "elsewhere")
    assert [digest_of(job) for job in elsewhere.jobs] == [digest_of(job) for job in made.jobs]
    for job in made.jobs:
        job.folder.mkdir(parents=True)
    assert {job.folder for job in plan(renamed, tmp_path / "made").jobs} == {job.folder for job in made.jobs}


def test_a_folder_of_any_name_is_found_by_its_digest(tmp_path: Path) -> None:
    made = plan(TINY, tmp_path / "runs")
    for job in made.jobs:
        (job.folder.parent / f"older-name-{digest_of(job)}").mkdir(parents=True)
    again = plan(TINY, tmp_path / "runs")
    assert {job.folder.name for job in again.jobs} == {f"older-name-{digest_of(job)}" for job in made.jobs}
    assert [part.folder for part in again.transfers] == [part.folder for part in made.transfers]


def digest_of(job: Job) -> str:
    return job.folder.name.rpartition("-")[2]


def test_tensorboard_has_the_runs_of_a_study_by_method_and_seed(tmp_path: Path) -> None:
    for job in plan(replace(TINY, seeds=(0, 1), tasks=("conjunction", "sim2sim")), tmp_path).jobs:
        if job.folder.parent.name != "frames":
            with closing(open_event_writer(job.folder / "tensorboard", None)) as writer:
                writer.add_scalar("train/loss", 1.0, 1)
    # The two tasks have one source, and so one agent without an encoder.
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload().Runs()
    assert sorted(run.rpartition("-")[0] for run in runs) == [
        "agents/end-to-end-s0-conjunction-ppo-pixels",
        "agents/end-to-end-s1-conjunction-ppo-pixels",
        "agents/β-vae-s0-conjunction-ppo-codes",
        "agents/β-vae-s0-sim2sim-ppo-codes",
        "agents/β-vae-s1-conjunction-ppo-codes",
        "agents/β-vae-s1-sim2sim-ppo-codes",
        "encoders/β-vae-s0-conjunction-beta-vae",
        "encoders/β-vae-s0-sim2sim-beta-vae",
        "encoders/β-vae-s1-conjunction-beta-vae",
        "encoders/β-vae-s1-sim2sim-beta-vae",
    ]


@pytest.mark.parametrize("name", sorted(demos.DEMOS))
def test_presets_can_be_planned(name: str, tmp_path: Path) -> None:
    study = demos.demo_study(name)
    made = plan(study, tmp_path)
    assert {part.task for part in made.transfers} == set(study.tasks)
    assert study.baseline is not None
    folders = {job.folder for job in made.jobs}
    assert all(folder in folders for part in made.transfers for _, folder in part.agents)


@pytest.mark.parametrize(("name", "minutes"), [("demo", 20), ("quick", 90)])
def test_demonstrations_show_the_effect_first_and_keep_to_their_time(name: str, minutes: int, tmp_path: Path) -> None:
    study = demos.demo_study(name)
    assert study.tasks[0] == "new_room"
    methods = [method.name for method in study.methods if method.takes_part_in("new_room")]
    assert {"end to end", "DARLA"} <= set(methods)
    # A run of the whole takes 1.12 times its estimate (docs/results.md): start-up, film strips, the report.
    assert 1.12 * plan(study, tmp_path).cost / 2 < 60 * minutes


def test_the_table_of_a_study_says_what_is_seen(tmp_path: Path) -> None:
    made = make_run(tmp_path, ("new_room",), seeds=1)
    table = study_table({"new_room": Artefact.load(made / "new_room")})
    heading, sentence, header = [line for line in table.splitlines() if line][:3]
    assert heading == "### new_room"
    assert "DARLA (β-VAE_DAE)" in sentence.partition("keep the source scores")[0]
    assert "end to end falls from" in sentence
    assert header.startswith("| method")
