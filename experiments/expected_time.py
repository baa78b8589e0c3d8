"""The expected time of a study: what this machine has measured, and the plan's own costs for the rest.

Only what is not done yet counts. Jobs that were not measured here take what the plan says, which are speeds of another
machine, corrected by how those that were measured compare with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darla.agents import ActConfig
from darla.agents.expected_time import act_parts, episodes_part, policy_facts, rest_part
from darla.common import is_complete
from darla.common.jobs.order import makespan
from darla.common.jobs.scheduler import Job
from darla.common.speeds.records import Speed, Work, find, keep, kept, spread
from darla.common.speeds.wording import Expected, Part, expect, measured, roughly
from darla.envs import Domain, TransferTask, tasks
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.collect import collect as collect_frames
from darla.envs.frames.expected_time import collect_parts
from darla.experiments.plan import START_SECONDS, Plan, TransferJob
from darla.experiments.study import Study
from darla.learn_to_act import act
from darla.learn_to_see import see, train_denoiser
from darla.vision import SeeConfig
from darla.vision.encoders.expected_time import dae_parts, see_parts

_REPORT_SECONDS = 20.0
_ENOUGH = 0.2
"""Share of a study, by the plan's costs, that must have been measured here to correct the rest by it."""


@dataclass(frozen=True)
class StudyTime:
    """How long the rest of a study takes on this machine."""

    seconds: float
    work: Plan
    """The plan, with the expected seconds of this machine as costs."""
    pieces: tuple[Expected | None, ...]
    """What was measured of each job and each evaluation that is left; None where nothing was."""
    corrected: bool
    """Whether so much was measured that it corrects the rest."""

    @property
    def basis(self) -> str:
        """Return what the time follows from."""
        known = [piece for piece in self.pieces if piece is not None]
        if not known:
            return "by the speeds of another machine, of two cores with bfloat16; nothing of it was measured here yet"
        when = measured([found for piece in known for _, found in piece.known])
        if len(known) == len(self.pieces):
            return f"{len(known)} jobs and evaluations, {when}"
        return (
            f"{len(known)} of {len(self.pieces)} jobs and evaluations {when}; the others by the speeds of another "
            f"machine{', corrected by these' * self.corrected}"
        )

    def __str__(self) -> str:
        return f"about {roughly(self.seconds)} ({self.basis})"


def study_time(study: Study, work: Plan, workers: int) -> StudyTime:
    """Return the expected time of what is left of a study on this machine.

    Args:
        study: the study.
        work: its plan.
        workers: processes.
    """
    by_folder = {job.folder: job for job in work.jobs}
    side_by_side = min(workers, len(work.jobs))
    jobs = [job for job in work.jobs if not is_complete(job.folder)]
    transfers = [part for part in work.transfers if not is_complete(part.folder)]
    todo: list[Job | TransferJob] = [*jobs, *transfers]
    speeds = kept()
    known: dict[Path, Expected | None] = {}
    for job in jobs:
        known[job.folder] = _known(list(_parts(study, job, by_folder, side_by_side)), speeds)
    for part in transfers:
        known[part.folder] = _known(_transfer_parts(study, part, by_folder, workers), speeds, workers)
    compared = [(each.seconds * _workers_of(part, workers), part.cost) for part in todo
                if (each := known[part.folder]) is not None]  # fmt: skip
    share = sum(cost for _, cost in compared) / max(1e-9, sum(part.cost for part in todo))
    pace = sum(taken for taken, _ in compared) / sum(cost for _, cost in compared) if share > _ENOUGH else 1.0

    def cost(part: Job | TransferJob) -> float:
        each = known.get(part.folder)
        return part.cost * pace if each is None else each.seconds * _workers_of(part, workers)

    here = replace(
        work,
        jobs=tuple(replace(job, cost=cost(job)) for job in work.jobs),
        transfers=tuple(replace(part, cost=cost(part)) for part in work.transfers),
    )
    left = [job for job in here.jobs if job.folder in known]
    seconds = makespan(left, workers) + START_SECONDS * bool(left)
    seconds += sum(part.cost for part in here.transfers if part.folder in known) / workers
    if study.correlates:
        seconds += here.correlation_cost * pace / workers
    seconds += _report_seconds(len(here.jobs) + len(here.transfers), pace, speeds)
    return StudyTime(seconds, here, tuple(known.values()), share > _ENOUGH)


def _workers_of(part: Job | TransferJob, workers: int) -> int:
    """Return the processes that work on it; costs are in seconds of one core."""
    return workers if isinstance(part, TransferJob) else 1


def _known(parts: list[Part], speeds: Sequence[Speed], side_by_side: int = 1) -> Expected | None:
    """Return the expected time of parts; None if one of them was never measured."""
    expected = expect(parts, side_by_side, speeds)
    return expected if expected.complete else None


def _report_seconds(artefacts: int, pace: float, speeds: Sequence[Speed]) -> float:
    found = find(Work("report", "artefact", {"films": "no"}), speeds)
    return _REPORT_SECONDS * pace if found is None else artefacts / found.speed.rate


def _parts(study: Study, job: Job, jobs: Mapping[Path, Job], workers: int) -> Iterator[Part]:
    """Yield the parts of a job."""
    given = job.arguments
    if job.work is collect_frames:
        config: CollectConfig = given["config"]
        if isinstance(domain := given["domain"], Domain):  # no environment is made for an estimate
            config = config.resolved(domain)
            assert config.sampling is not None
            yield from collect_parts(
                domain, study.frames, sampling=config.sampling, unit=config.unit, walk=config.walk, workers=1,
                jobs=workers,
            )  # fmt: skip
    elif job.work is train_denoiser:
        yield from dae_parts(given["config"], None, frames=study.frames, jobs=workers)
    elif job.work is see:
        yield from see_parts(given["config"], None, frames=study.frames, jobs=workers)
    elif job.work is act:
        act_config: ActConfig = given["config"]
        task: TransferTask = given["task"]
        domain = task.training_domain(act_config.train_domain)
        yield from act_parts(act_config, domain, _see_of(job, jobs), jobs=workers)


def _see_of(agent: Job, jobs: Mapping[Path, Job]) -> dict[str, Any] | None:
    """Return the configuration of an agent's encoder, as plain values."""
    folder = agent.arguments["encoder"]
    if folder is None:
        return None
    config: SeeConfig = jobs[folder].arguments["config"]
    return config.to_dict()


def _transfer_parts(study: Study, transfer: TransferJob, jobs: Mapping[Path, Job], workers: int) -> list[Part]:
    """Return the parts of an evaluation; none where an agent is made by other work than a plan has."""
    if any(jobs[folder].work is not act for _, folder in transfer.agents):
        return []
    config, task = study.transfer, tasks.get(transfer.task)
    earlier = [tasks.get(name).source for name in study.tasks[: study.tasks.index(task.name)]]
    splits = [split for split in config.splits if split != "source" or task.source not in earlier]
    domains = sum(len(task.targets) if split == "target" else 1 for split in splits)
    with_curves = sum(
        len(task.targets) if split == "target" else 1 for split in splits if split in ("source", "target")
    )

    def part(facts: Mapping[str, str], episodes: int) -> Part:
        return episodes_part(facts, task.source, episodes, n_envs=config.n_envs, workers=workers, jobs=1)

    parts = [part({"algorithm": "random"}, config.episodes * domains)]
    for _, folder in transfer.agents:
        act_config: ActConfig = jobs[folder].arguments["config"]
        encoder = _see_of(jobs[folder], jobs)
        observation = act_config.policy_input(on_encoder=encoder is not None)
        facts = policy_facts(act_config.to_dict(observation), observation, encoder)
        # The last snapshot is the policy, whose episodes count.
        curve = config.episodes_per_snapshot * (act_config.snapshots - 1) * with_curves
        parts.append(part(facts, config.episodes * domains + curve))
    return [*parts, rest_part(task.source, workers, agents=len(parts), domains=domains, jobs=1)]


def keep_study(study: Study, work: Plan, workers: int, seconds: float) -> None:
    """Keep how long a whole study took."""
    keep([(_whole(study, work, workers), 1.0, seconds)])


def whole_study(study: Study, work: Plan, workers: int) -> str:
    """Return how long the whole study took on this machine, in words; empty if it was never run in one go."""
    found = find(_whole(study, work, workers))
    if found is None or found.unlike:
        return ""
    return f"about {roughly(1 / found.speed.rate)} (the whole study, {measured([found])})"


def _whole(study: Study, work: Plan, workers: int) -> Work:
    return Work("study", "run", {"study": study.name, "content": work.report.name}, spread(1, workers=workers))
