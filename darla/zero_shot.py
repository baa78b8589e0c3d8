"""The third stage, zero-shot transfer: act where the policy has never acted, and say how well that went.

    runs/transfer/
      config.json   task, settings, the agents by digest
      episodes.csv  one row for each episode of each agent in each domain
      scores.json   what follows from them, with intervals; see `darla.evaluation.scores`
      curves.csv    return of each agent's snapshots on source and targets
      strips/       the same episode in source and target, as the agent saw it
      card.json     versions, hashes, wall time

Nothing here changes an agent: policies and encoders are read, frozen, and the same in every domain. An
agent that was trained in a target, or in another source than the task's, is refused, unless its configuration says
that it is an upper bound (`ActConfig.train_domain`): then its own leak levels stand beside its scores.
"""

import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darla.common import Artefact, InputError, Progress, complete_artefact, is_complete, start_artefact, unknown_name
from darla.common.artefact import CHECKPOINT
from darla.common.files import read_json, write_bytes, write_json
from darla.common.processes import worker_pool
from darla.envs import TransferTask, tasks
from darla.evaluation.episode_records import SPLITS, Split, write_rows
from darla.evaluation.evaluated_agents import EvaluatedAgent, Named, load_agents
from darla.evaluation.jobs import Evaluation, EvaluationJob, EvaluationWorker, one_thread, places
from darla.evaluation.rollout import Actions, EvaluationProtocol
from darla.evaluation.scores import Resampling, score
from darla.evaluation.transfer_files import AGENT_PATHS, CURVES, EPISODES, SCORES, STRIPS, TRANSFER


@dataclass(frozen=True)
class TransferConfig:
    """How agents are evaluated."""

    episodes: int = 100
    """Episodes for each agent and domain; a success rate of one half is then known to +-0.10."""
    n_envs: int = 8
    """Environments that a batch of episodes is played on; also the agents' batch size."""
    evaluation_seed: int = 2017
    """Master seed of the evaluation. Every agent meets the same episodes."""
    actions: Actions = "sampled"
    """`sampled`: drawn from the policy as in training, by a generator of the episode's own. `greedy`: the
    most probable action; a policy trained with an entropy bonus may then turn left and right for ever."""
    splits: tuple[Split, ...] = ("source", "validation", "target")
    """Which of the task's domains are played in. `selection` holds the contexts for choosing between
    encoders: evaluate candidates on `("source", "selection")` and only the chosen one on the targets."""
    snapshot_eval_episodes: int = 8
    """Episodes for each snapshot of an agent on the source and each target; 0 for no curves. They are the
    first of the published ones, and choose nothing."""
    strip_frames: int = 13
    """Pictures in a film strip; 0 for no strips. One for each method and target, of its first agent."""
    baseline: str | None = None
    """Method that others are compared with and that normalises the scores; None takes the first method that
    learnt end to end in the source, if there is one."""
    resamples: int = 10_000
    """Bootstrap resamples behind each interval."""
    confidence: float = 0.95
    """Nominal coverage of the intervals."""

    def __post_init__(self) -> None:
        self.plan()
        for split in self.splits:
            if split not in SPLITS:
                raise InputError(f"splits names {split!r}, but must be among {', '.join(SPLITS)}")
        if "source" not in self.splits:
            raise InputError("splits must hold 'source': gap and retention are measured against it")
        for name in ("snapshot_eval_episodes", "strip_frames"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, but must not be negative")
        if self.snapshot_eval_episodes > self.episodes:
            raise InputError(
                f"snapshot_eval_episodes is {self.snapshot_eval_episodes}, but episodes is {self.episodes}"
            )
        if self.resamples < 1 or not 0 < self.confidence < 1:
            raise InputError("resamples must be at least 1, and confidence must lie between 0 and 1")

    def plan(self) -> EvaluationProtocol:
        """Return which episodes are played."""
        return EvaluationProtocol(self.episodes, self.n_envs, self.evaluation_seed, self.actions)


def transfer(
    task: TransferTask | str,
    agents: Sequence[Named],
    out: Path | str,
    config: TransferConfig | None = None,
    *,
    workers: int = 1,
    played: Path | None = None,
) -> Artefact:
    """Run agents in the source and in every target of a task, and score them.

    A random agent is always measured along with them. A call that was interrupted goes on where it stopped:
    a job, one agent in one domain, is played once.

    Args:
        task: the transfer task, or the name of one.
        agents: pairs of a method's name and an agent artefact; agents of one method differ in their seeds.
        Without a
            name, agents on latents are called `DARLA` and agents on pixels `end to end`.
        out: folder of the artefact.
        config: how to evaluate; None for the defaults.
        workers: processes that play. The result does not depend on it.
        played: folder in which episodes are kept, and looked for, by agent, domain and plan: tasks that share a source
            and agents then play it once, and another method in a study plays nobody else's episodes again.

    Returns:
        An artefact of kind `transfer`.

    Raises:
        InputError: there is nothing to evaluate, an agent was trained in a target or in another source, two
        agents
            have the same method and seed, or `out` holds something else.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}, but must be at least 1")
    config = config or TransferConfig()
    task = tasks.get(task) if isinstance(task, str) else task
    evaluated = load_agents(task, agents)
    baseline = _baseline(config.baseline, evaluated)
    where = tuple(places(task, config.splits))
    record = {
        "task": task.to_dict(),
        "transfer": {**asdict(config), "baseline": baseline},
        "agents": [agent.to_dict() for agent in evaluated],
    }
    folder = start_artefact(out, TRANSFER, record)
    if is_complete(folder):
        return Artefact.load(folder, TRANSFER)
    evaluation = Evaluation(
        task,
        tuple(evaluated),
        config.plan(),
        where,
        config.snapshot_eval_episodes,
        config.strip_frames,
        folder / CHECKPOINT,
        folder / STRIPS,
        played,
    )
    with _stopwatch(folder / CHECKPOINT / "seconds.json") as seconds:
        _play(evaluation, workers)
        _write(evaluation, record, config)
    inputs = {f"{agent.method}, seed {agent.seed}": agent.digest for agent in evaluated if agent.folder}
    return complete_artefact(
        folder,
        TRANSFER,
        record,
        seed=config.evaluation_seed,
        inputs=inputs,
        wall_seconds=seconds(),
        extra={
            AGENT_PATHS: {agent.digest: os.path.relpath(agent.folder, folder) for agent in evaluated if agent.folder}
        },
    )


def _play(evaluation: Evaluation, workers: int) -> None:
    """Play every job that has no result yet."""
    jobs = evaluation.jobs()
    todo = [job for job in jobs if not evaluation.is_done(job)]
    total, left = (sum(map(evaluation.cost, some)) for some in (jobs, todo))
    with Progress(total, "zero-shot transfer", "episode", done=total - left) as progress:
        if workers == 1 or len(todo) <= 1:
            player = EvaluationWorker(evaluation)
            try:
                with one_thread():
                    for job in todo:
                        player.play(job, progress.update)
                        if job.kind == "strip":
                            progress.update(evaluation.cost(job))
            finally:
                player.close()
            return
        with worker_pool(min(workers, len(todo)), _start_worker, (evaluation,)) as pool:
            futures = {pool.submit(_play_in_worker, job): job for job in todo}
            try:
                for future in as_completed(futures):
                    future.result()
                    progress.update(evaluation.cost(futures[future]))
            except BrokenProcessPool as error:
                raise InputError(
                    "an evaluating process was killed (is there enough memory?); "
                    "the same command goes on where it stopped"
                ) from error


_player: EvaluationWorker


def _start_worker(evaluation: Evaluation) -> None:
    global _player
    _player = EvaluationWorker(evaluation)


def _play_in_worker(job: EvaluationJob) -> None:
    _player.play(job)


def _write(evaluation: Evaluation, record: dict[str, Any], config: TransferConfig) -> None:
    """Write the tables and the scores from the jobs' results."""
    folder = evaluation.strips.parent
    jobs = evaluation.jobs()
    # By agent, then by domain: the order in which a person reads them, whatever the order of work.
    played = sorted((job for job in jobs if job.kind == "episodes"), key=lambda job: (job.agent, job.place))
    rows = [row for job in played for row in evaluation.rows(job)]
    write_rows(folder / EPISODES, rows)
    write_bytes(folder / CURVES, _curves(evaluation, played).encode())
    said = score(
        rows,
        {agent.digest: agent.encoder for agent in evaluation.agents},
        baseline=record["transfer"]["baseline"],
        resampling=Resampling(config.resamples, config.confidence, config.evaluation_seed),
    )
    said["task"] = evaluation.task.name
    said["settings"] = record["transfer"]
    said["agents"] = record["agents"]
    said["episode_seeds"] = {place.name: evaluation.plan.seeds(place.name) for place in evaluation.places}
    said["strips"] = [evaluation.result(job) for job in jobs if job.kind == "strip"]
    write_json(folder / SCORES, said)


def _curves(evaluation: Evaluation, played: Sequence[EvaluationJob]) -> str:
    """Return how snapshots did, as comma-separated text with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("method", "seed", "domain", "split", "env_steps", "episodes", "mean_return"))
    for job in played:
        agent, place = evaluation.agents[job.agent], evaluation.places[job.place]
        for env_steps, mean_return in evaluation.result(job)["curve"]:
            writer.writerow(
                (
                    agent.method,
                    agent.seed,
                    place.name,
                    place.split,
                    env_steps,
                    evaluation.snapshot_eval_episodes,
                    mean_return,
                )
            )
    return text.getvalue()


def _baseline(named: str | None, evaluated: Sequence[EvaluatedAgent]) -> str | None:
    """Return the method that others are compared with."""
    learnt = [agent for agent in evaluated if agent.folder is not None]
    if named is None:
        return next((agent.method for agent in learnt if agent.is_end_to_end), None)
    if named not in {agent.method for agent in learnt}:
        raise unknown_name("baseline", named, {agent.method for agent in learnt})
    return named


@contextmanager
def _stopwatch(file: Path) -> Iterator[Callable[[], float]]:
    """Time a stage over all its interrupted parts; yields a function that tells the seconds so far."""
    before = float(read_json(file)) if file.is_file() else 0.0
    started = time.monotonic()

    def seconds() -> float:
        return before + time.monotonic() - started

    try:
        yield seconds
    finally:
        # Not if the stage failed before it began to write.
        if file.parent.is_dir():
            write_json(file, seconds())
