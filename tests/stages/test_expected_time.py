"""Every stage says before it begins how long it will take, and `--help` says it: from speeds that are given."""

import os
from pathlib import Path

import pytest

import darla
from darla.agents import ActConfig
from darla.cli.main import parse
from darla.common.jobs.order import makespan
from darla.common.jobs.scheduler import Job
from darla.common.speeds.records import VARIABLE, Work, keep, kept, spread
from darla.common.speeds.wording import Part
from darla.common.threads import available_cores
from darla.envs import tasks
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.expected_time import collect_parts
from darla.experiments.expected_time import study_time
from darla.experiments.plan import plan
from darla.experiments.study import Method, Study
from darla.learn_concepts import ConceptScoresConfig, JudgeConfig, score_concepts, train_judge
from darla.vision import SeeConfig, presets
from darla.vision.concepts.learning.attribute_classifier import JUDGE_TRAINING
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.learning.expected_time import concepts_parts, judge_parts
from darla.vision.encoders.expected_time import dae_parts, see_parts
from darla.vision.metrics.config import MetricsConfig
from darla.vision.training.config import TrainingConfig
from darla.zero_shot import TransferConfig

TASK = "grid-world"
QUICK = TrainingConfig(steps=2, batch_size=8, log_every=2, checkpoint_every=2, precision="float32", device="cpu")


@pytest.fixture(autouse=True)
def own_speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.5, 0.5))
    return tmp_path / "cache"


def give(*parts: Part, rate: float = 50.0) -> None:
    """Keep a speed for parts, as if they had been done for long."""
    keep([(part.work, 10_000 * rate, 10_000.0) for part in parts])


def frames_of(task: str) -> list[Part]:
    domain = tasks.get(task).unlabeled
    config = CollectConfig(task).resolved(domain)
    assert config.sampling is not None
    return collect_parts(domain, 40, sampling=config.sampling, unit=config.unit, walk=config.walk, workers=1)


def test_a_stage_says_it_and_its_artefact_is_the_same_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(frames_of(TASK)[0], rate=2.0)
    first = darla.collect(CollectConfig(TASK, frames=40), tmp_path / "first")
    assert "collect: about 20 seconds (40 frames at 2 a second, measured on this machine on" in capsys.readouterr().err
    assert not [path for path in first.folder.rglob("*") if "speed" in path.name]
    monkeypatch.setenv(VARIABLE, "off")
    second = darla.collect(CollectConfig(TASK, frames=40), tmp_path / "second")
    assert "about" not in capsys.readouterr().err
    assert first.digest == second.digest


def test_every_stage_measures_itself_for_the_next_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    act = ActConfig(env_steps=64, snapshots=1, observation="state", algorithm="a2c")
    see = SeeConfig().change(model="beta_vae", training__steps=2, held_out=0.5, statistics_frames=10)
    for number in range(2):
        out = tmp_path / str(number)
        frames = darla.collect(CollectConfig("sprites", frames=40, seed=number), out / "frames")
        encoder = darla.see(frames, out / "encoder", see)
        names = ("mig",)
        darla.metrics(encoder, out / "metrics", frames, MetricsConfig(names=names, rows=40))
        agent = darla.act(TASK, out / "agent", act)
        transfer = darla.transfer(
            TASK, [agent], out / "transfer", TransferConfig(episodes=2, snapshot_eval_episodes=0, strip_frames=0)
        )
        darla.report(transfer, out / "report")
        darla.select(frames, out / "select", {"a": see}, seeds=(0, 1), workers=1)
        concepts = darla.associate(encoder, out / "concepts", ConceptsConfig(concepts=4, images=2, held_out=2,
                                   training=QUICK, operators=QUICK))  # fmt: skip
        judge = train_judge("sprites", out / "judge", JudgeConfig(images=20, held_out=10, training=QUICK))
        score_concepts(concepts, judge, out / "scores", ConceptScoresConfig(images=2, concepts=2, samples=2))
        printed = capsys.readouterr().err
        lines = [line for line in printed.splitlines() if "measured on this machine" in line]
        assert [line.partition(":")[0] for line in lines] == [
            "collect", "learn to see", "metrics", "learn to act", "zero-shot transfer", "report", "select",
            "learn concepts", "judge", "measure concepts",
        ]  # fmt: skip
        assert all(("this run measures it" in line) == (number == 0) for line in lines), printed
    assert {speed.work.stage for speed in kept()} == {
        "collect", "see", "metrics", "act", "transfer", "report", "select", "concepts"
    }  # fmt: skip


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        parse(words[0], [*words[1:], "--help"])
    return " ".join(capsys.readouterr().out.split())


def test_help_says_how_long_the_defaults_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in (
        "collect",
        "see",
        "act",
        "transfer",
        "metrics",
        "report",
        "select",
        "concepts train",
        "concepts judge",
    ):
        assert "Expected time: not measured on this machine yet; the first run measures it." in shown(capsys, verb)
    give(*frames_of("conjunction"))
    assert "Expected time of 40,000 frames of seek_avoid: about 13 minutes (40,000 frames at 50 a second, measured" in (
        shown(capsys, "collect")
    )
    config = presets.encoder("darla")
    give(see_parts(config, (64, 64, 3), frames=100)[0], rate=10.0)
    assert "Expected time with these settings: at least about 12 minutes (" in shown(capsys, "see")
    give(dae_parts(config, (64, 64, 3), frames=100)[0], rate=20.0)
    assert "Expected time with these settings: about 16 minutes (" in shown(capsys, "see")
    assert "not measured on this machine yet" in shown(capsys, "see", "--preset", "beta-1")
    give(*concepts_parts(ConceptsConfig(), {"model": "beta_vae", "vae": {}}, (64, 64, 3))[:2])
    assert "Expected time with the defaults: about " in shown(capsys, "concepts train")
    give(judge_parts(JUDGE_TRAINING, (64, 64, 3), 100)[0], rate=JUDGE_TRAINING.steps / 600)
    assert "Expected time with the defaults: about 10 minutes (" in shown(capsys, "concepts judge")
    for name in ("beta-1", "beta-4"):
        beta = presets.encoder(name)
        give(see_parts(beta, (64, 64, 3), frames=100, jobs=available_cores())[0], rate=beta.training.steps / 600)
    minutes = round(60 / available_cores())
    assert f"of 6 encoders, beta-1 and beta-4: about {minutes} minutes (" in shown(capsys, "select")
    monkeypatch.setenv(VARIABLE, "off")
    assert "Expected time" not in shown(capsys, "see")


def job(name: str, cost: float, *needs: str) -> Job:
    return Job(name, Path(name), print, {}, tuple(map(Path, needs)), cost)


@pytest.mark.parametrize(
    ("jobs", "workers", "seconds"),
    [
        ([], 2, 0.0),
        ([job("a", 3), job("b", 4)], 1, 7.0),
        ([job("a", 3), job("b", 4)], 2, 4.0),
        ([job("a", 3), job("b", 4, "a")], 8, 7.0),  # one after the other, however many workers
        ([job("a", 3), job("b", 2), job("c", 2)], 2, 4.0),
        ([job("frames", 1), job("see", 5, "frames"), job("act", 2, "see"), job("pixels", 6)], 2, 8.0),
        ([job("b", 4, "done before")], 2, 4.0),
    ],
)
def test_the_time_of_jobs_that_need_each_other(jobs: list[Job], workers: int, seconds: float) -> None:
    assert makespan(jobs, workers) == seconds


def test_a_study_adds_up_its_jobs(tmp_path: Path) -> None:
    study = Study(
        "mine",
        (Method("on the state", act=ActConfig(observation="state", algorithm="a2c")),),
        tasks=(TASK,),
        seeds=(0, 1),
        env_steps=10_000,
        transfer=TransferConfig(episodes=10, snapshot_eval_episodes=0, strip_frames=0, splits=("source", "target")),
    )
    work = plan(study, tmp_path)
    unknown = study_time(study, work, 2)
    assert "nothing of it was measured here yet" in str(unknown)
    from darla.experiments.expected_time import _parts, _transfer_parts

    jobs = {job.folder: job for job in work.jobs}
    for each in work.jobs:
        give(*(part for part in _parts(study, each, jobs, 2) if part.label), rate=100.0)
    some = study_time(study, work, 2)
    assert "2 of 3 jobs and evaluations measured on this machine" in str(some)
    domains = 1 + len(tasks.get(TASK).targets)
    give(*(part for part in _transfer_parts(study, work.transfers[0], jobs, 2) if part.label), rate=0.5)
    keep([(Work("report", "artefact", {"films": "no"}, spread(1)), 1, 1.0)])
    every = study_time(study, work, 2)
    # Two agents at a time, a start, three agents (one is random) on two workers, and a report of three artefacts.
    assert every.seconds == pytest.approx(100 + 5 + 3 * 10 * domains / 0.5 / 2 + 3)
    assert "3 jobs and evaluations, measured on this machine" in str(every)
    assert [job.cost for job in every.work.jobs] == [100.0, 100.0]
