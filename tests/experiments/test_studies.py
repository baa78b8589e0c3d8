"""The studies of `darla study run`: what they compare, and that they fit into their time."""

from dataclasses import replace
from pathlib import Path

import cell_work
import pytest
from command_line import darla, refusal

from darla.agents.presets import SHORT_PPO
from darla.common import InputError, is_complete
from darla.experiments import demos
from darla.experiments.baselines import METHODS
from darla.experiments.plan import plan
from darla.experiments.run_study import run_study
from darla.experiments.studies import SCALES, STUDIES, named_study


@pytest.mark.parametrize(("name", "hours"), [("paper-table", 2.0), ("correlation", 3.0), ("axes", 1.0)])
def test_a_small_study_fits_two_cores(name: str, hours: float) -> None:
    study = named_study(name, "small")
    work = plan(study, Path("runs"))
    seconds = work.cost + study.correlates * work.correlation_cost
    assert seconds / 2 < hours * 3600


@pytest.mark.parametrize("scale", SCALES)
def test_the_paper_table_has_every_method_and_three_algorithms(scale: str) -> None:
    study = named_study("paper-table", scale)
    names = {method.name for method in study.methods}
    assert {method.name for method in METHODS.values()} <= names
    for algorithm in ("DQN", "MFEC"):
        for compared in ("end to end", "DARLA", "β-VAE, β = 1"):
            assert f"{compared} ({algorithm})" in names
    assert study.tasks == ("conjunction", "recolor", "unseen")
    assert study.baseline == "end to end"
    assert len(study.seeds) == (10 if scale == "full" else 3)


def test_the_full_paper_table_has_every_pair_that_can_be() -> None:
    methods = named_study("paper-table", "full").methods
    pairs = {(method.name.partition(" (")[0], method.act.algorithm) for method in methods}
    visions = {method.name for method in METHODS.values()}
    algorithms = ("ppo", "a2c", "dqn", "mfec")
    missing = {(vision, algorithm) for vision in visions for algorithm in algorithms} - pairs
    assert missing == {("DARLA, fine-tuned", "mfec")}, "episodic control has no gradient"


def test_encoders_of_the_correlation_differ_in_all_that_may_matter() -> None:
    study = named_study("correlation", "small")
    work = plan(study, Path("runs"))
    encoders = {folder for _, folder in work.encoders}
    assert len(encoders) >= 12
    seen = [method.see for method in study.methods if method.see]
    assert len({see.training.steps for see in seen}) > 1
    assert len({see.dae.hue_prob for see in seen if see.vae.needs_dae}) > 1
    assert study.correlates
    assert len(study.seeds) > 1


@pytest.mark.parametrize("scale", SCALES)
def test_axes_are_those_of_four_methods(scale: str) -> None:
    study = named_study("axes", scale)
    names = [method.name for method in study.methods]
    assert names == ["end to end", "end to end, other hues", "β-VAE, β = 4", "DARLA"]
    assert study.baseline == "end to end"
    assert study.tasks == ("axes",)
    assert len(study.seeds) == (10 if scale == "full" else 3)


@pytest.mark.slow
def test_the_study_of_axes_writes_which_axis_breaks_which_method(tmp_path: Path) -> None:
    study = named_study("axes")
    short = replace(study.methods[0].act, env_steps=1_024, settings=demos.demo_study("tiny").methods[0].act.settings)
    result = run_study(
        replace(
            study,
            methods=(replace(study.methods[0], act=short),),
            seeds=(0,),
            env_steps=1_024,
            transfer=replace(study.transfer, episodes=1, n_envs=1, resamples=100),
        ),
        tmp_path,
        workers=1,
    )
    page = (result.report.folder / "report.md").read_text()
    assert "## One axis at a time" in page
    assert list((result.report.folder / "figures").glob("*axes-axes.png"))
    assert "camera_jitter (leak: visual)" in result.table


def test_a_method_is_trained_as_long_at_one_scale_as_its_rivals() -> None:
    small = named_study("paper-table", "small")
    steps = {method.see.training.steps for method in small.methods if method.see}
    assert steps == {0, 5_000}, "0: encoders that are not trained by design"


def test_few_environment_steps_are_passed_over_more_often_on_codes_and_the_state() -> None:
    passes = {method.name: method.act.settings for method in named_study("paper-table", "small").methods}
    assert passes["DARLA"] == passes["random encoder"] == passes["ground truth"] == SHORT_PPO
    assert passes["end to end"] is passes["end to end, other hues"] is passes["DARLA (DQN)"] is None
    assert all(method.act.settings is None for method in named_study("paper-table", "full").methods)


def test_a_study_that_correlates_later_writes_another_report() -> None:
    study = named_study("paper-table", "small")
    before, after = plan(replace(study, correlates=False), Path("runs")), plan(study, Path("runs"))
    assert before.transfers == after.transfers
    assert before.report != after.report


def test_episodes_in_a_shared_source_are_counted_once() -> None:
    study = named_study("paper-table", "small")
    costs = {part.task: part.cost for part in plan(study, Path("runs")).transfers}
    alone = {
        part.task: part.cost
        for name in study.tasks
        for part in plan(replace(study, tasks=(name,)), Path("runs")).transfers
    }
    assert costs["conjunction"] == alone["conjunction"]
    assert costs["recolor"] == pytest.approx(alone["recolor"] * 3 / 4), (
        "three targets, and a source that has been played"
    )


def test_names_and_scales_are_checked() -> None:
    with pytest.raises(InputError, match="unknown study 'paper-tabel'; did you mean 'paper-table'"):
        named_study("paper-tabel")
    with pytest.raises(InputError, match="unknown scale 'large'"):
        named_study("paper-table", "large")
    with pytest.raises(InputError, match="'quick' has one scale"):
        named_study("quick", "full")
    assert named_study("quick") is demos.demo_study("quick")


def test_the_list_names_every_study() -> None:
    output = darla("study", "list").stdout
    for name in STUDIES:
        for scale in SCALES:
            assert f"{name} --scale {scale}\n" in output
    assert "on two cores" in output


def test_the_command_line_knows_its_verbs() -> None:
    assert "status" in darla("study", "--help").stdout
    assert "did you mean 'run'" in refusal("study", "rum", "paper-table")
    assert "unknown study 'nothing'" in refusal("study", "run", "nothing")


def test_a_failed_part_leaves_the_other_tasks_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = demos.demo_study("tiny")
    study = replace(
        tiny,
        methods=(tiny.methods[0],),
        tasks=("conjunction", "new_room"),
        env_steps=1_024,
        transfer=replace(tiny.transfer, episodes=2, n_envs=2, strip_frames=0, snapshot_eval_episodes=0),
    )
    whole = plan(study, tmp_path)
    broken = next(folder for part in whole.transfers if part.task == "new_room" for _, folder in part.agents)
    jobs = tuple(
        replace(job, work=cell_work.refuse, arguments={"out": job.folder}) if job.folder == broken else job
        for job in whole.jobs
    )
    with monkeypatch.context() as patch:
        patch.setattr("darla.experiments.run_study.plan", lambda *_: replace(whole, jobs=jobs))
        with pytest.raises(InputError, match=r"cannot be made of this.*1 of 2 tasks were evaluated"):
            run_study(study, tmp_path, workers=1)
    done = {part.task: is_complete(part.folder) for part in whole.transfers}
    assert done == {"conjunction": True, "new_room": False}
    assert not (tmp_path / "table.md").exists()
    result = run_study(study, tmp_path, workers=1)
    assert set(result.transfers) == {"conjunction", "new_room"}
    assert "new_room" in result.table
    assert "end to end" in result.paper_table
