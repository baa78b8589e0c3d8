"""The work of an evaluation, in jobs: one agent in one domain, or one film strip. Results of finished jobs are kept."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from darla.agents import Actor, Agent, RandomAgent
from darla.agents.expected_time import episodes_part, policy_facts
from darla.common import InputError, note_packages
from darla.common.files import json_sha256
from darla.common.jobs.sealed import read_if_sound, read_sealed, write_sealed
from darla.common.json_records import from_json, to_json
from darla.common.speeds.wording import Part
from darla.envs import AnyDomain, TransferTask, leak_level
from darla.envs.pictures import only_a_picture
from darla.evaluation.episode_records import Episode, EpisodeRecord
from darla.evaluation.evaluated_agents import EvaluatedAgent
from darla.evaluation.film_strips import write_strip
from darla.evaluation.rollout import VecEvaluator
from darla.evaluation.score_types import UNKNOWN_LEAK, StripRecord
from darla.evaluation.transfer_config import EvaluationProtocol, Split

R = TypeVar("R")
_NO_STRIP: dict[str, Any] = {"strip": None}
"""Result of a film strip that could not be drawn."""


@dataclass(frozen=True)
class EvaluationDomain:
    """A domain of the task in which agents are evaluated."""

    name: str
    domain: AnyDomain
    split: Split
    """Its role in the task."""
    leak: str
    """Leak level of a target for agents that were trained in the source; empty for every other split."""


@dataclass(frozen=True)
class EvaluationJob:
    """A piece of work that is done once."""

    kind: Literal["episodes", "strip"]
    agent: int
    """Index of the agent."""
    domain: int
    """Index of the domain."""

    @property
    def file(self) -> str:
        """Name of the file with its result."""
        return f"{self.kind}-{self.agent:03d}-{self.domain:03d}.json"


@dataclass(frozen=True)
class CurvePoint:
    """The mean return of one snapshot of an agent."""

    env_steps: int
    """Environment steps of training at the snapshot."""
    mean_return: float


@dataclass(frozen=True)
class EpisodesResult:
    """The result of a job of episodes."""

    episodes: tuple[Episode, ...]
    curve: tuple[CurvePoint, ...]
    """One point for each snapshot."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that decides the results of the jobs; it is sent to worker processes."""

    task: TransferTask
    agents: tuple[EvaluatedAgent, ...]
    protocol: EvaluationProtocol
    domains: tuple[EvaluationDomain, ...]
    snapshot_eval_episodes: int
    """Episodes for each snapshot; 0 for no curves."""
    strip_frames: int
    """Images in a film strip; 0 for no strips."""
    results: Path
    """Folder of the jobs' results, the working folder of the transfer."""
    strips: Path
    """Folder of the film strips."""
    episode_cache: Path | None = None
    """Folder of results that several evaluations share; None shares nothing."""

    def jobs(self) -> list[EvaluationJob]:
        """Return all jobs, those of one domain together, so that its environments are opened once."""
        jobs = [
            EvaluationJob("episodes", agent, domain)
            for domain in range(len(self.domains))
            for agent in range(len(self.agents))
        ]
        first = {agent.method: number for number, agent in reversed(list(enumerate(self.agents)))}
        if self.strip_frames:
            jobs += [
                EvaluationJob("strip", first[method], number)
                for number, domain in enumerate(self.domains)
                for method in dict.fromkeys(agent.method for agent in self.agents)
                if domain.split == "target" and not self.agents[first[method]].is_random
            ]
        return jobs

    def is_done(self, job: EvaluationJob) -> bool:
        """Return whether a job has its result; one that is damaged is made again."""
        return _read_result(self.results / job.file) is not None

    def episodes(self, job: EvaluationJob) -> EpisodesResult:
        """Read the result of a finished job of episodes."""
        return _result(EpisodesResult, self.results / job.file)

    def strip(self, job: EvaluationJob) -> StripRecord | None:
        """Read the result of a finished film strip; None for one that could not be drawn."""
        path = self.results / job.file
        return None if read_sealed(path) == _NO_STRIP else _result(StripRecord, path)

    def files(self, job: EvaluationJob) -> list[Path]:
        """Return the files that a job writes beside its result."""
        return [self.strips / f"{job.agent:02d}-{job.domain:02d}.png", self.film(job)] if job.kind == "strip" else []

    def film(self, job: EvaluationJob) -> Path:
        """Return where a job keeps the small film of a strip, which is for TensorBoard and no part of the transfer."""
        return (self.results / job.file).with_suffix(".gif")

    def label(self, job: EvaluationJob) -> str:
        """Return what a message calls a film strip."""
        return f"the film strip of {self.agents[job.agent].method} in {self.domains[job.domain].name}"

    def cached(self, job: EvaluationJob) -> Path | None:
        """Return where a job's result is kept for every evaluation of the same agent on the same episodes."""
        if self.episode_cache is None or job.kind == "strip":
            return None
        agent, domain = self.agents[job.agent], self.domains[job.domain]
        key = {
            "agent": agent.digest,
            "domain": [domain.name, domain.domain.to_dict()],
            "protocol": asdict(self.protocol),
            "curve": [self.snapshot_eval_episodes, *snapshots] if (snapshots := self.snapshots(job)) else None,
        }
        return self.episode_cache / f"{json_sha256(key)[:24]}.json"

    def cost(self, job: EvaluationJob) -> int:
        """Return the number of episodes of a job."""
        if job.kind == "strip":
            return 2
        snapshots = len(self.snapshots(job)) - 1 if self.snapshots(job) else 0
        return self.protocol.episodes + snapshots * self.snapshot_eval_episodes

    def parts(self, jobs: list[EvaluationJob], workers: int) -> dict[EvaluationJob, Part]:
        """Return for each job what it counts for in the expected time; the amount is that of all jobs of the kind."""
        parts: dict[EvaluationJob, Part] = {}
        amounts: dict[str, int] = {}
        for job in jobs:
            facts = _facts(self.agents[job.agent])
            if job.kind == "strip":
                facts["algorithm"] = f"film strips of {facts['algorithm']}"
            domain = self.domains[job.domain].domain
            parts[job] = part = episodes_part(facts, domain, 0, n_envs=self.protocol.n_envs, workers=workers)
            kept = self.cached(job)
            left = 0 if kept is not None and kept.exists() else self.cost(job)
            amounts[part.label] = amounts.get(part.label, 0) + left
        return {job: replace(part, amount=amounts[part.label]) for job, part in parts.items()}

    def snapshots(self, job: EvaluationJob) -> tuple[int, ...]:
        """Return the environment steps of the snapshots that a job evaluates for the learning curves."""
        if not self.snapshot_eval_episodes or self.domains[job.domain].split not in ("source", "target"):
            return ()
        return self.agents[job.agent].snapshot_steps

    def records(self, job: EvaluationJob) -> list[EpisodeRecord]:
        """Return the records of a finished job of episodes."""
        agent, domain = self.agents[job.agent], self.domains[job.domain]
        leak = domain.leak
        if domain.split == "target" and agent.train_domain != "source":
            leak = leak_level(self.task, domain.name, agent.train_domain)
        if leak in ("visual", "none") and not agent.unlabeled_is_known:
            leak = UNKNOWN_LEAK
        return [
            EpisodeRecord(agent.method, agent.seed, agent.digest, domain.name, domain.split, leak, episode)
            for episode in self.episodes(job).episodes
        ]


class EvaluationWorker:
    """Runs jobs, and keeps the last domain's environments and the last agents open.

    Args:
        evaluation: the evaluation that the jobs belong to.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._evaluator: VecEvaluator | None = None
        self._agent = lru_cache(maxsize=16)(self._load)

    def run(self, job: EvaluationJob, progress: Callable[[int], None] | None = None) -> float | None:
        """Run a job and write its result.

        Args:
            job: of the evaluation.
            progress: called with the number of episodes as they end.

        Returns:
            Seconds that it took; None if its result was kept by another evaluation.
        """
        started = time.monotonic()
        report = progress or (lambda _: None)
        cached = self._evaluation.cached(job)
        result = None if cached is None else _read_result(cached)
        if known := result is not None:
            report(self._evaluation.cost(job))
        else:
            result = self._strip(job) if job.kind == "strip" else to_json(self._episodes(job, report))
            if cached is not None:
                write_sealed(cached, result)
        written = [] if result == _NO_STRIP else self._evaluation.files(job)
        write_sealed(self._evaluation.results / job.file, result, written)
        return None if known else time.monotonic() - started

    def _episodes(self, job: EvaluationJob, progress: Callable[[int], None]) -> EpisodesResult:
        evaluation = self._evaluation
        evaluator = self._open(job.domain)
        agent = self._agent(job.agent, None)
        if isinstance(agent, Agent):
            evaluator.check_compatible(agent)
        outcomes = evaluator.evaluate(agent, evaluation.protocol, progress)
        note_packages(evaluation.results.parent, evaluator.packages())
        curve: list[CurvePoint] = []
        few = replace(evaluation.protocol, episodes=max(1, evaluation.snapshot_eval_episodes))
        selected = evaluation.agents[job.agent].env_steps
        for number, env_steps in enumerate(evaluation.snapshots(job), start=1):
            # The snapshot that training selected as the policy has run these episodes already.
            episodes = (
                outcomes[: few.episodes]
                if env_steps == selected
                else evaluator.evaluate(self._agent(job.agent, number), few, progress)
            )
            curve.append(CurvePoint(env_steps, float(np.mean([episode.return_ for episode in episodes]))))
        return EpisodesResult(tuple(outcomes), tuple(curve))

    def _strip(self, job: EvaluationJob) -> Any:
        evaluation = self._evaluation
        agent, domain = evaluation.agents[job.agent], evaluation.domains[job.domain]
        record: Any = _NO_STRIP
        with only_a_picture(evaluation.label(job)):
            record = to_json(
                write_strip(
                    self._agent(job.agent, None),
                    agent,
                    evaluation.task.source,
                    domain.domain,
                    domain.name,
                    evaluation.protocol,
                    evaluation.strip_frames,
                    *evaluation.files(job),
                )
            )
        return record

    def _open(self, number: int) -> VecEvaluator:
        domain = self._evaluation.domains[number]
        if self._evaluator is None or self._evaluator.name != domain.name:
            self.close()
            self._evaluator = VecEvaluator(domain.domain, self._evaluation.protocol.n_envs, domain.name)
        return self._evaluator

    def _load(self, number: int, snapshot: int | None) -> Actor:
        agent = self._evaluation.agents[number]
        if agent.artefact is None:
            space = self._evaluator.action_space if self._evaluator is not None else None
            if agent.predictor is not None:
                return agent.predictor.load(space)
            assert space is not None
            return RandomAgent(space)
        if snapshot is None:
            return agent.load()
        loaded = self._agent(number, None)
        assert isinstance(loaded, Agent)
        return agent.load(snapshot=snapshot, loaded=loaded)

    def close(self) -> None:
        """Close the environments."""
        if self._evaluator is not None:
            self._evaluator.close()
            self._evaluator = None


def _facts(agent: EvaluatedAgent) -> dict[str, str]:
    """Return what decides how fast an agent acts."""
    if agent.artefact is None:
        return {"algorithm": "random" if agent.predictor is None else agent.predictor.source}
    config = agent.artefact.config
    see = None if agent.encoder_artefact is None else agent.encoder_artefact.config["see"]
    return policy_facts(config["act"], config["observation"], see)


def _result(kind: type[R], path: Path) -> R:
    result: R = from_json(kind, read_sealed(path), path)
    return result


def _read_result(path: Path) -> Any:
    """Return a job's result as JSON; None where there is none, or one that is damaged."""
    return read_if_sound(path, "a result is made again")


def evaluation_domains(task: TransferTask, splits: tuple[Split, ...]) -> list[EvaluationDomain]:
    """Return the domains of a task that belong to the splits, the source first and the targets last.

    Raises:
        InputError: the task has no domain of that split, or two domains have one name.
    """
    domains: list[EvaluationDomain] = []
    if "source" in splits:
        domains.append(EvaluationDomain("source", task.source, "source", ""))
    if "validation" in splits:
        domains.append(EvaluationDomain("validation", task.validation, "validation", ""))
    if "selection" in splits:
        if task.selection is None:
            raise InputError(f"task {task.name!r} has no selection contexts; leave 'selection' out of splits")
        domains.append(EvaluationDomain("selection", task.selection, "selection", ""))
    if "target" in splits:
        domains += [
            EvaluationDomain(name, domain, "target", leak_level(task, name)) for name, domain in task.targets.items()
        ]
    names = [domain.name for domain in domains]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"task {task.name!r} has a target called {name!r}, which is the name of another split")
    return domains


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread, as in worker processes: with more threads, sums are taken in another order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
