"""The third stage, zero-shot transfer: act where the policy has never acted, and say how well that went.

    runs/transfer/
      config.json   task, settings, the agents by digest
      episodes.csv  one row for each episode of each agent in each domain
      scores.json   what follows from them, with intervals; see `darla.scores`
      curves.csv    return of each agent's snapshots on source and targets
      strips/       the same episode in source and target, as the agent saw it
      card.json     versions, hashes, wall time

Nothing here changes an agent: policies and encoders are read, frozen, and the same in every domain. An
agent that was trained in a target, or in another source than the task's, is refused, unless its configuration says
that it is an upper bound (`ActConfig.trains_in`): then its own leak levels stand beside its scores.
"""

import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darla.base import Artefact, InputError, Progress, begin, finish, is_complete, unknown_name
from darla.base.artefact import CHECKPOINT
from darla.base.files import read_json, write_bytes, write_json
from darla.base.workers import worker_pool
from darla.entrants import Entrant, Named, admit_all
from darla.envs import TransferTask, tasks
from darla.episode_table import SPLITS, Split, write_rows
from darla.episodes import Actions, EpisodePlan
from darla.evaluation import Cell, Evaluation, Player, one_thread, places
from darla.scores import Resampling, score

KIND = "transfer"
EPISODES, SCORES, CURVES, STRIPS = "episodes.csv", "scores.json", "curves.csv", "strips"
AGENT_PATHS = "agent_paths"
"""Entry of a transfer's card: by digest where each agent lay, relative to the transfer."""


@dataclass(frozen=True)
class TransferConfig:
    """How agents are evaluated."""

    episodes: int = 100
    """Episodes for each agent and domain; a success rate of one half is then known to +-0.10."""
    environments: int = 8
    """Environments that a batch of episodes is played on; also the agents' batch size."""
    evaluation_seed: int = 2017
    """Master seed of the evaluation. Every agent meets the same episodes."""
    actions: Actions = "sampled"
    """`sampled`: drawn from the policy as in training, by a generator of the episode's own. `greedy`: the
    most probable action; a policy trained with an entropy bonus may then turn left and right for ever."""
    splits: tuple[Split, ...] = ("source", "validation", "target")
    """Which of the task's domains are played in. `selection` holds the contexts for choosing between
    encoders: evaluate candidates on `("source", "selection")` and only the chosen one on the targets."""
    curve_episodes: int = 8
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
        for name in ("curve_episodes", "strip_frames"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, but must not be negative")
        if self.curve_episodes > self.episodes:
            raise InputError(
                f"curve_episodes is {self.curve_episodes}, but must not exceed the {self.episodes} episodes"
            )
        if self.resamples < 1 or not 0 < self.confidence < 1:
            raise InputError("resamples must be at least 1, and confidence must lie between 0 and 1")

    def plan(self) -> EpisodePlan:
        """Return which episodes are played."""
        return EpisodePlan(self.episodes, self.environments, self.evaluation_seed, self.actions)


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
    a cell, one agent in one domain, is played once.

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
    entrants = admit_all(task, agents)
    baseline = _baseline(config.baseline, entrants)
    where = tuple(places(task, config.splits))
    record = {
        "task": task.to_dict(),
        "transfer": {**asdict(config), "baseline": baseline},
        "agents": [entrant.to_dict() for entrant in entrants],
    }
    folder = begin(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    evaluation = Evaluation(
        task,
        tuple(entrants),
        config.plan(),
        where,
        config.curve_episodes,
        config.strip_frames,
        folder / CHECKPOINT,
        folder / STRIPS,
        played,
    )
    with _stopwatch(folder / CHECKPOINT / "seconds.json") as seconds:
        _play(evaluation, workers)
        _write(evaluation, record, config)
    inputs = {f"{entrant.method}, seed {entrant.seed}": entrant.digest for entrant in entrants if entrant.folder}
    return finish(
        folder,
        KIND,
        record,
        seed=config.evaluation_seed,
        inputs=inputs,
        wall_seconds=seconds(),
        extra={
            AGENT_PATHS: {
                entrant.digest: os.path.relpath(entrant.folder, folder) for entrant in entrants if entrant.folder
            }
        },
    )


def _play(evaluation: Evaluation, workers: int) -> None:
    """Play every cell that has no result yet."""
    cells = evaluation.cells()
    todo = [cell for cell in cells if not evaluation.is_done(cell)]
    total, left = (sum(map(evaluation.cost, some)) for some in (cells, todo))
    with Progress(total, "zero-shot transfer", "episode", done=total - left) as progress:
        if workers == 1 or len(todo) <= 1:
            player = Player(evaluation)
            try:
                with one_thread():
                    for cell in todo:
                        player.play(cell, progress.update)
                        if cell.kind == "strip":
                            progress.update(evaluation.cost(cell))
            finally:
                player.close()
            return
        with worker_pool(min(workers, len(todo)), _start_worker, (evaluation,), who="an evaluating process") as pool:
            futures = {pool.submit(_play_in_worker, cell): cell for cell in todo}
            for future in as_completed(futures):
                future.result()
                progress.update(evaluation.cost(futures[future]))


_player: Player


def _start_worker(evaluation: Evaluation) -> None:
    global _player
    _player = Player(evaluation)


def _play_in_worker(cell: Cell) -> None:
    _player.play(cell)


def _write(evaluation: Evaluation, record: dict[str, Any], config: TransferConfig) -> None:
    """Write the tables and the scores from the cells' results."""
    folder = evaluation.strips.parent
    cells = evaluation.cells()
    # By agent, then by domain: the order in which a person reads them, whatever the order of work.
    played = sorted((cell for cell in cells if cell.kind == "episodes"), key=lambda cell: (cell.entrant, cell.place))
    rows = [row for cell in played for row in evaluation.rows(cell)]
    write_rows(folder / EPISODES, rows)
    write_bytes(folder / CURVES, _curves(evaluation, played).encode())
    said = score(
        rows,
        {entrant.digest: entrant.encoder for entrant in evaluation.entrants},
        baseline=record["transfer"]["baseline"],
        resampling=Resampling(config.resamples, config.confidence, config.evaluation_seed),
    )
    said["task"] = evaluation.task.name
    said["settings"] = record["transfer"]
    said["agents"] = record["agents"]
    said["episode_seeds"] = {place.name: evaluation.plan.seeds(place.name) for place in evaluation.places}
    said["strips"] = [evaluation.result(cell) for cell in cells if cell.kind == "strip"]
    write_json(folder / SCORES, said)


def _curves(evaluation: Evaluation, played: Sequence[Cell]) -> str:
    """Return how snapshots did, as comma-separated text with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("method", "seed", "domain", "split", "env_steps", "episodes", "mean_return"))
    for cell in played:
        entrant, place = evaluation.entrants[cell.entrant], evaluation.places[cell.place]
        for env_steps, mean_return in evaluation.result(cell)["curve"]:
            writer.writerow(
                (
                    entrant.method,
                    entrant.seed,
                    place.name,
                    place.split,
                    env_steps,
                    evaluation.curve_episodes,
                    mean_return,
                )
            )
    return text.getvalue()


def _baseline(named: str | None, entrants: Sequence[Entrant]) -> str | None:
    """Return the method that others are compared with."""
    learnt = [entrant for entrant in entrants if entrant.folder is not None]
    if named is None:
        return next((entrant.method for entrant in learnt if entrant.is_end_to_end), None)
    if named not in {entrant.method for entrant in learnt}:
        raise unknown_name("baseline", named, {entrant.method for entrant in learnt})
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
