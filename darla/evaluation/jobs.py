"""The work of an evaluation, in jobs: one agent in one domain, or one film strip. Finished ones are kept."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from darla.agents import Actor, Agent, RandomAgent
from darla.common import InputError
from darla.common.files import read_json, write_json
from darla.envs import AnyDomain, TransferTask, leak_level
from darla.evaluation.episode_records import Row, Split
from darla.evaluation.evaluated_agents import EvaluatedAgent
from darla.evaluation.film_strips import shoot
from darla.evaluation.rollout import Episode, EvaluationProtocol, VecEvaluator


@dataclass(frozen=True)
class EvaluationDomain:
    """A domain of the task, and what it is in it."""

    name: str
    domain: AnyDomain
    split: Split
    leak: str
    """Leak level of a target for agents that have acted in the source alone; empty for the others."""


@dataclass(frozen=True)
class EvaluationJob:
    """A piece of work that is done once."""

    kind: Literal["episodes", "strip"]
    agent: int
    """Number of the agent."""
    place: int
    """Number of the domain."""

    @property
    def file(self) -> str:
        """Name of the job's result."""
        return f"{self.kind}-{self.agent:03d}-{self.place:03d}.json"


@dataclass(frozen=True)
class Evaluation:
    """Everything that decides what the jobs hold; it travels to worker processes."""

    task: TransferTask
    agents: tuple[EvaluatedAgent, ...]
    plan: EvaluationProtocol
    places: tuple[EvaluationDomain, ...]
    snapshot_eval_episodes: int
    """Episodes for each snapshot; 0 for no curves."""
    strip_frames: int
    """Pictures in a film strip; 0 for no strips."""
    results: Path
    """Folder of the jobs' results."""
    strips: Path
    """Folder of the film strips."""
    played: Path | None = None
    """Folder of episodes that any evaluation may have played; None shares nothing."""

    def jobs(self) -> list[EvaluationJob]:
        """Return all jobs, those of one domain together, so that its environments are opened once."""
        jobs = [
            EvaluationJob("episodes", agent, place)
            for place in range(len(self.places))
            for agent in range(len(self.agents))
        ]
        first = {agent.method: number for number, agent in reversed(list(enumerate(self.agents)))}
        if self.strip_frames:
            jobs += [
                EvaluationJob("strip", first[method], place)
                for place, where in enumerate(self.places)
                for method in dict.fromkeys(agent.method for agent in self.agents)
                if where.split == "target" and self.agents[first[method]].folder is not None
            ]
        return jobs

    def is_done(self, job: EvaluationJob) -> bool:
        """Tell whether a job has its result."""
        return (self.results / job.file).is_file()

    def result(self, job: EvaluationJob) -> Any:
        """Read the result of a finished job."""
        return read_json(self.results / job.file)

    def shared(self, job: EvaluationJob) -> Path | None:
        """Return where a job's result is kept for every evaluation that asks the same of the same agent."""
        if self.played is None or job.kind == "strip":
            return None
        agent, place = self.agents[job.agent], self.places[job.place]
        asked = {
            "agent": agent.digest,
            "domain": [place.name, place.domain.to_dict()],
            "plan": asdict(self.plan),
            "curve": [self.snapshot_eval_episodes, *snapshots] if (snapshots := self.snapshots(job)) else None,
        }
        return self.played / f"{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]}.json"

    def cost(self, job: EvaluationJob) -> int:
        """Return the number of episodes that a job plays."""
        if job.kind == "strip":
            return 2
        snapshots = len(self.snapshots(job)) - 1 if self.snapshots(job) else 0
        return self.plan.episodes + snapshots * self.snapshot_eval_episodes

    def snapshots(self, job: EvaluationJob) -> tuple[int, ...]:
        """Return the environment steps of the snapshots that a job plays for the learning curves."""
        if not self.snapshot_eval_episodes or self.places[job.place].split not in ("source", "target"):
            return ()
        return self.agents[job.agent].snapshot_steps

    def rows(self, job: EvaluationJob) -> list[Row]:
        """Return the rows of a finished job of episodes."""
        agent, place = self.agents[job.agent], self.places[job.place]
        leak = place.leak
        if place.split == "target" and agent.train_domain != "source":
            leak = leak_level(self.task, place.name, agent.train_domain)
        found = [Episode(**episode) for episode in self.result(job)["episodes"]]
        return [
            Row(
                method=agent.method,
                seed=agent.seed,
                agent=agent.digest,
                domain=place.name,
                split=place.split,
                leak=leak,
                episode=episode.number,
                episode_seed=episode.seed,
                total=episode.total,
                length=episode.length,
                success=episode.success,
                truncated=episode.truncated,
                collected_good=episode.collected_good,
                collected_bad=episode.collected_bad,
            )
            for episode in found
        ]


class EvaluationWorker:
    """Plays jobs, and keeps the last domain's environments and the last agents at hand.

    Args:
        evaluation: what is to be played.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._arena: VecEvaluator | None = None
        self._agent = lru_cache(maxsize=16)(self._load)

    def play(self, job: EvaluationJob, progress: Callable[[int], None] | None = None) -> None:
        """Play a job and write its result.

        Args:
            job: which.
            progress: told the number of episodes as they end.
        """
        tell = progress or (lambda _: None)
        shared = self._evaluation.shared(job)
        if shared is not None and shared.is_file():
            result = read_json(shared)
            tell(self._evaluation.cost(job))
        else:
            result = self._film(job) if job.kind == "strip" else self._episodes(job, tell)
            if shared is not None:
                write_json(shared, result)
        write_json(self._evaluation.results / job.file, result)

    def _episodes(self, job: EvaluationJob, progress: Callable[[int], None]) -> dict[str, Any]:
        evaluation = self._evaluation
        arena = self._open(job.place)
        agent = self._agent(job.agent, None)
        if isinstance(agent, Agent):
            arena.check_compatible(agent)
        outcomes = arena.play(agent, evaluation.plan, progress)
        curve: list[tuple[int, float]] = []
        few = replace(evaluation.plan, episodes=max(1, evaluation.snapshot_eval_episodes))
        chosen = evaluation.agents[job.agent].env_steps
        for number, env_steps in enumerate(evaluation.snapshots(job), start=1):
            # The snapshot that became the policy has played these episodes already.
            played = (
                outcomes[: few.episodes]
                if env_steps == chosen
                else arena.play(self._agent(job.agent, number), few, progress)
            )
            curve.append((env_steps, float(np.mean([episode.total for episode in played]))))
        return {"episodes": [asdict(outcome) for outcome in outcomes], "curve": curve}

    def _film(self, job: EvaluationJob) -> dict[str, Any]:
        evaluation = self._evaluation
        agent, place = evaluation.agents[job.agent], evaluation.places[job.place]
        said = shoot(
            self._agent(job.agent, None),
            evaluation.task.source,
            place.domain,
            place.name,
            evaluation.plan,
            evaluation.strip_frames,
            evaluation.strips / f"{job.agent:02d}-{job.place:02d}.png",
        )
        return {"method": agent.method, "seed": agent.seed, "target": place.name, **said}

    def _open(self, place: int) -> VecEvaluator:
        where = self._evaluation.places[place]
        if self._arena is None or self._arena.name != where.name:
            self.close()
            self._arena = VecEvaluator(where.domain, self._evaluation.plan.n_envs, where.name)
        return self._arena

    def _load(self, number: int, snapshot: int | None) -> Actor:
        agent = self._evaluation.agents[number]
        if agent.folder is None:
            arena = self._arena
            assert arena is not None
            return RandomAgent(arena.n_actions)
        if snapshot is None:
            return Agent.load(agent.folder)
        policy = self._agent(number, None)
        assert isinstance(policy, Agent)
        return Agent.load(agent.folder, policy.encoder, snapshot=snapshot)

    def close(self) -> None:
        """Close the environments."""
        if self._arena is not None:
            self._arena.close()
            self._arena = None


def places(task: TransferTask, splits: tuple[Split, ...]) -> list[EvaluationDomain]:
    """Return the domains of a task that belong to the splits, the source first and the targets last.

    Raises:
        InputError: the task has no domain of that split, or two domains have one name.
    """
    found: list[EvaluationDomain] = (
        [EvaluationDomain("source", task.source, "source", "")] if "source" in splits else []
    )
    if "validation" in splits:
        found.append(EvaluationDomain("validation", task.validation, "validation", ""))
    if "selection" in splits:
        if task.selection is None:
            raise InputError(f"task {task.name!r} has no selection contexts; leave 'selection' out of splits")
        found.append(EvaluationDomain("selection", task.selection, "selection", ""))
    if "target" in splits:
        found += [
            EvaluationDomain(name, domain, "target", leak_level(task, name)) for name, domain in task.targets.items()
        ]
    names = [place.name for place in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"task {task.name!r} has a target called {name!r}, which is the name of another part")
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread, as it does in workers: with more, sums are taken in another order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
