"""The third stage, zero-shot transfer: evaluate trained policies in domains that they were not trained in.

    runs/transfer/
      config.json   task, settings, the agents by digest
      episodes.csv  one row for each episode of each agent in each domain
      scores.json   the scores with intervals; see `darla.evaluation.score_types`
      curves.csv    return of each agent's snapshots in source and targets
      strips/       the same episode in source and target, as the agent saw it
      card.json     versions, hashes, wall time

Nothing here changes an agent: policies and encoders are frozen and the same in every domain. An agent that was trained
in a target, or in another source than the task's, is refused unless its configuration declares it to be an upper bound
(`ActConfig.train_domain`); its own leak levels then stand beside its scores.
"""

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from darla.agents.expected_time import rest_part
from darla.common import (
    Artefact,
    InputError,
    Progress,
    complete_artefact,
    is_complete,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.artefact import CHECKPOINT, TENSORBOARD
from darla.common.checked_config import checked_arguments_but
from darla.common.csv_rows import write_rows
from darla.common.files import write_json
from darla.common.jobs.processes import at_end_of_worker, worker_pool
from darla.common.jobs.spawn_checks import pickled_bytes
from darla.common.jobs.stopwatch import SECONDS, Stopwatch
from darla.common.json_records import to_json
from darla.common.speeds.meter import measuring
from darla.common.threads import check_workers
from darla.common.tracking.event_files import open_event_writer
from darla.envs import TransferTask
from darla.envs.domains.task_files import find_task
from darla.envs.pictures import only_a_picture
from darla.evaluation.episode_records import write_episodes
from darla.evaluation.evaluated_agents import EvaluatedAgent, Named, load_agents
from darla.evaluation.jobs import Evaluation, EvaluationJob, EvaluationWorker, evaluation_domains, one_thread
from darla.evaluation.score_types import TransferScores
from darla.evaluation.scores import score
from darla.evaluation.transfer_config import TransferConfig as TransferConfig
from darla.evaluation.transfer_files import AGENT_PATHS, CURVE_COLUMNS, CURVES, EPISODES, SCORES, STRIPS, TRANSFER

if TYPE_CHECKING:
    from darla.common.tracking.event_writer import EventWriter

_LABEL = "zero-shot transfer"
_Count = Callable[[EvaluationJob, float | None], None]
_ODD = re.compile(r"[^\w.=+-]+")
"""What the names of TensorBoard's folders are kept free of."""


class TransferResult(Artefact):
    """A transfer: the artefact, its scores, and their table."""

    @classmethod
    def open(cls, folder: Path | str) -> "TransferResult":
        """Open a finished transfer, and check every file against its hash.

        Raises:
            ArtefactError: there is none, or it is damaged.
        """
        return cls(**vars(Artefact.load(folder, TRANSFER)))

    @cached_property
    def scores(self) -> TransferScores:
        """Everything in `scores.json`."""
        return TransferScores.load(self.folder)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each method in each domain, the source first: plain values, None where there is none.

        `return_low` and `return_high` are the ends of the interval over seeds. `retention` is the return in a target
        over the return in the source; None for a method that does not beat the random agent there.
        """
        scores = self.scores
        rows = []
        for method in scores.methods:
            for domain in scores.domains:
                of_domain = method.domains[domain.name]
                retention = of_domain.retention if scores.beats_random(method) else None
                rows.append(
                    {
                        "task": scores.task,
                        "method": method.method,
                        "domain": domain.name,
                        "split": domain.split,
                        "leak": method.leaks.get(domain.name, domain.leak) or None,
                        "seeds": len(method.seeds),
                        "episodes": scores.settings.episodes,
                        "return": of_domain.return_.value,
                        "return_low": of_domain.return_.low,
                        "return_high": of_domain.return_.high,
                        "success": None if of_domain.success is None else of_domain.success.value,
                        "retention": None if retention is None else retention.value,
                        "length": of_domain.length,
                        "truncated": of_domain.truncated,
                    }
                )
        return rows

    def to_pandas(self) -> Any:
        """Return `rows` as a `pandas.DataFrame`.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise InputError("to_pandas needs pandas; install it with: pip install pandas") from error
        return pandas.DataFrame(self.rows())

    def __repr__(self) -> str:
        # Not at the top: every command imports this module for its options, and reports import matplotlib.
        from darla.reports.tables.transfer import score_table

        return f"{score_table(self.scores).terminal()}\n\n{self.folder}"


@checked_arguments_but("task", "agents")
@writes_nothing_if_refused
def transfer(
    task: TransferTask | Path | str,
    agents: Sequence[Named],
    out: Path | str,
    config: TransferConfig | None = None,
    *,
    workers: int = 1,
    episode_cache: Path | None = None,
) -> TransferResult:
    """Evaluate agents in the source and in every target of a task, and score them.

    A random agent is always evaluated with them. An interrupted call resumes: a job, one agent in one domain, is run
    once.

    Args:
        task: the transfer task, its name, or a JSON file.
        agents: agent artefacts, objects with `predict` as SB3's models have it (their import path, where they are to
            run in several workers), or pairs of a method's name and one of these; agents of one method differ in their
            seeds. Without a name, agents on latents are called `DARLA` and agents on pixels `end to end`.
        out: folder of the artefact.
        config: how to evaluate; None for the defaults.
        workers: processes that run episodes. The result does not depend on it.
        episode_cache: folder of episodes that several evaluations share, by agent, domain and protocol: tasks with the
            same source run its episodes once, and a further method in a study does not repeat those of the others.

    Returns:
        An artefact of kind `transfer`, which shows its table: `print(result)`, `result.to_pandas()`, `result.scores`.

    Raises:
        InputError: there is nothing to evaluate, an agent was trained in a target or in another source, two agents have
            the same method and seed, or `out` holds something else.
        WorkerDiedError: a worker process was killed.
    """
    check_workers(workers)
    config = config or TransferConfig()
    task = find_task(task)
    evaluated = load_agents(task, agents)
    if workers > 1 and any(agent.predictor is not None and agent.predictor.given is not None for agent in evaluated):
        raise InputError(
            "agents that are given as objects cannot be sent to worker processes; use workers=1, or name them by their "
            "import paths, as in ('mine', 'my_agents:load')"
        )
    # Values that follow from others are filled in, so that the artefact records what was done.
    config = replace(
        config,
        baseline=_baseline(config.baseline, evaluated),
        snapshot_eval_episodes=config.episodes_per_snapshot,
    )
    domains = tuple(evaluation_domains(task, config.splits))
    record = {
        "task": task.to_dict(),
        "transfer": to_json(config),
        "agents": [to_json(agent.record) for agent in evaluated],
    }
    folder = start_artefact(out, TRANSFER, record)
    if is_complete(folder):
        return TransferResult.open(folder)
    evaluation = Evaluation(
        task,
        tuple(evaluated),
        config.protocol,
        domains,
        config.episodes_per_snapshot,
        config.strip_frames,
        folder / CHECKPOINT,
        folder / STRIPS,
        episode_cache,
    )
    remaining = [job for job in evaluation.jobs() if not evaluation.is_done(job)]
    workers = min(workers, max(1, len(remaining)))
    parts = evaluation.parts(remaining, workers)
    different = list({part.label: part for part in parts.values()}.values())
    rest = rest_part(task.source, workers, agents=len(evaluated), domains=len(domains))
    with measuring(_LABEL, [*different, rest], side_by_side=workers) as meter:

        def count(job: EvaluationJob, seconds: float | None) -> None:
            if seconds is not None:
                meter.count(parts[job].label, evaluation.cost(job), seconds)

        with Stopwatch(folder / CHECKPOINT / SECONDS) as stopwatch:
            _run(evaluation, remaining, workers, count)
            _log(evaluation, _write(evaluation, config, folder), folder)
        artefacts = {agent.digest: agent.artefact.folder for agent in evaluated if agent.artefact is not None}
        made = complete_artefact(
            folder,
            TRANSFER,
            record,
            seed=config.evaluation_seed,
            inputs={f"{agent.method}, seed {agent.seed}": agent.digest for agent in evaluated if not agent.is_random},
            wall_seconds=stopwatch.seconds,
            paths={AGENT_PATHS: {digest: os.path.relpath(path, folder) for digest, path in artefacts.items()}},
        )
        return TransferResult(**vars(made))


def _run(evaluation: Evaluation, remaining: list[EvaluationJob], workers: int, count: _Count) -> None:
    """Run jobs that have no result yet, and tell `count` of each how long it took."""
    total, left = (sum(map(evaluation.cost, some)) for some in (evaluation.jobs(), remaining))
    with Progress(total, _LABEL, "episode", done=total - left) as progress:
        if workers == 1 or len(remaining) <= 1:
            worker = EvaluationWorker(evaluation)
            try:
                with one_thread():
                    for job in remaining:
                        count(job, worker.run(job, progress.update))
                        if job.kind == "strip":
                            progress.update(evaluation.cost(job))
            finally:
                worker.close()
            return
        pickled_bytes(evaluation.task, f"task {evaluation.task.name!r}")
        with worker_pool(
            min(workers, len(remaining)), _start_worker, (evaluation,), who="a worker process of the evaluation"
        ) as pool:
            futures = {pool.submit(_run_in_worker, job): job for job in remaining}
            for future in as_completed(futures):
                count(futures[future], future.result())
                progress.update(evaluation.cost(futures[future]))


_worker: EvaluationWorker
"""The worker of this process."""


def _start_worker(evaluation: Evaluation) -> None:
    global _worker
    _worker = EvaluationWorker(evaluation)
    at_end_of_worker(_worker.close)


def _run_in_worker(job: EvaluationJob) -> float | None:
    return _worker.run(job)


def _write(evaluation: Evaluation, config: TransferConfig, folder: Path) -> TransferScores:
    """Write the tables and the scores from the results of the jobs, and return the scores."""
    jobs = evaluation.jobs()
    # By agent, then by domain: the order of reading, whatever the order of work.
    finished = sorted((job for job in jobs if job.kind == "episodes"), key=lambda job: (job.agent, job.domain))
    records = [record for job in finished for record in evaluation.records(job)]
    write_episodes(folder / EPISODES, records)
    write_rows(folder / CURVES, [row for job in finished for row in _curve(evaluation, job)], CURVE_COLUMNS)
    scores = score(
        records,
        {agent.digest: agent.encoder for agent in evaluation.agents},
        baseline=config.baseline,
        resampling=config.resampling,
        seed=config.evaluation_seed,
    )
    content = TransferScores(
        **vars(scores),
        task=evaluation.task.name,
        settings=config,
        agents=tuple(agent.record for agent in evaluation.agents),
        episode_seeds={domain.name: tuple(config.seeds(domain.name)) for domain in evaluation.domains},
        strips=tuple(strip for job in jobs if job.kind == "strip" and (strip := evaluation.strip(job)) is not None),
    )
    write_json(folder / SCORES, to_json(content))
    return content


def _log(evaluation: Evaluation, scores: TransferScores, folder: Path) -> None:
    """Write curves, strips, films and the table to TensorBoard: a run for each agent, SB3's names for its numbers."""
    from darla.reports.tables.transfer import score_table  # not at the top: see `TransferResult.__repr__`

    jobs = evaluation.jobs()
    with closing(open_event_writer(folder / TENSORBOARD, None)) as writer:
        for number, agent in enumerate(evaluation.agents):
            with closing(writer.branch(f"{_ODD.sub('-', agent.method)}/seed{agent.seed}")) as of_agent:
                for job in (job for job in jobs if job.kind == "episodes" and job.agent == number):
                    _log_agent(of_agent, evaluation, job)
        for job in (job for job in jobs if job.kind == "strip"):
            if (strip := evaluation.strip(job)) is not None:
                with only_a_picture(evaluation.label(job)):
                    name = f"{_ODD.sub('-', strip.method)}/{strip.target}"
                    image = Image.open(folder / STRIPS / strip.file).convert("RGBA")
                    paper = Image.new("RGBA", image.size, "white")
                    picture = np.asarray(Image.alpha_composite(paper, image).convert("RGB"))
                    writer.add_picture(f"strips/{name}", picture, 0)
                    writer.add_film(f"films/{name}", evaluation.film(job).read_bytes(), 0)
        table = score_table(scores)
        columns = [" ".join(filter(None, (cell.text, cell.detail))) for cell in table.header]
        rows = [[" ".join(filter(None, (cell.text, cell.detail))) for cell in row] for row in table.rows]
        writer.add_table("scores", columns, rows, 0)


def _log_agent(writer: "EventWriter", evaluation: Evaluation, job: EvaluationJob) -> None:
    """Write the numbers of one agent in one domain: the curve of its snapshots, then those of the whole evaluation."""
    agent, domain = evaluation.agents[job.agent], evaluation.domains[job.domain].name
    result = evaluation.episodes(job)
    for point in result.curve:
        writer.add_scalar(f"eval/mean_reward_of_snapshot/{domain}", point.mean_return, point.env_steps)
    episodes, step = result.episodes, agent.env_steps
    writer.add_scalar(f"eval/mean_reward/{domain}", float(np.mean([each.return_ for each in episodes])), step)
    writer.add_scalar(f"eval/mean_ep_length/{domain}", float(np.mean([each.length for each in episodes])), step)
    successes = [each.success for each in episodes if each.success is not None]
    if successes:
        writer.add_scalar(f"eval/success_rate/{domain}", float(np.mean(successes)), step)


def _curve(evaluation: Evaluation, job: EvaluationJob) -> list[dict[str, Any]]:
    """Return a row of `curves.csv` for each snapshot of an agent in a domain."""
    agent, domain = evaluation.agents[job.agent], evaluation.domains[job.domain]
    return [
        {
            "method": agent.method,
            "seed": agent.seed,
            "domain": domain.name,
            "split": domain.split,
            "env_steps": point.env_steps,
            "episodes": evaluation.snapshot_eval_episodes,
            "mean_return": point.mean_return,
        }
        for point in evaluation.episodes(job).curve
    ]


def _baseline(name: str | None, evaluated: Sequence[EvaluatedAgent]) -> str | None:
    """Return the method that others are compared with."""
    trained = [agent for agent in evaluated if not agent.is_random]
    if name is None:
        return next((agent.method for agent in trained if agent.is_end_to_end), None)
    if name not in {agent.method for agent in trained}:
        raise unknown_name("baseline", name, {agent.method for agent in trained})
    return name
