"""The work of an evaluation, in cells: one agent in one domain, or one film strip. Finished ones are kept."""

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
from darla.evaluation.evaluated_agents import Entrant
from darla.evaluation.film_strips import shoot
from darla.evaluation.rollout import Arena, Episode, EpisodePlan


@dataclass(frozen=True)
class Place:
    """A domain of the task, and what it is in it."""

    name: str
    domain: AnyDomain
    split: Split
    leak: str
    """Leak level of a target for agents that have acted in the source alone; empty for the others."""


@dataclass(frozen=True)
class Cell:
    """A piece of work that is done once."""

    kind: Literal["episodes", "strip"]
    entrant: int
    """Number of the agent."""
    place: int
    """Number of the domain."""

    @property
    def file(self) -> str:
        """Name of the cell's result."""
        return f"{self.kind}-{self.entrant:03d}-{self.place:03d}.json"


@dataclass(frozen=True)
class Evaluation:
    """Everything that decides what the cells hold; it travels to worker processes."""

    task: TransferTask
    entrants: tuple[Entrant, ...]
    plan: EpisodePlan
    places: tuple[Place, ...]
    curve_episodes: int
    """Episodes for each snapshot; 0 for no curves."""
    strip_frames: int
    """Pictures in a film strip; 0 for no strips."""
    results: Path
    """Folder of the cells' results."""
    strips: Path
    """Folder of the film strips."""
    played: Path | None = None
    """Folder of episodes that any evaluation may have played; None shares nothing."""

    def cells(self) -> list[Cell]:
        """Return all cells, those of one domain together, so that its environments are opened once."""
        cells = [
            Cell("episodes", entrant, place)
            for place in range(len(self.places))
            for entrant in range(len(self.entrants))
        ]
        first = {entrant.method: number for number, entrant in reversed(list(enumerate(self.entrants)))}
        if self.strip_frames:
            cells += [
                Cell("strip", first[method], place)
                for place, where in enumerate(self.places)
                for method in dict.fromkeys(entrant.method for entrant in self.entrants)
                if where.split == "target" and self.entrants[first[method]].folder is not None
            ]
        return cells

    def is_done(self, cell: Cell) -> bool:
        """Tell whether a cell has its result."""
        return (self.results / cell.file).is_file()

    def result(self, cell: Cell) -> Any:
        """Read the result of a finished cell."""
        return read_json(self.results / cell.file)

    def shared(self, cell: Cell) -> Path | None:
        """Return where a cell's result is kept for every evaluation that asks the same of the same agent."""
        if self.played is None or cell.kind == "strip":
            return None
        entrant, place = self.entrants[cell.entrant], self.places[cell.place]
        asked = {
            "agent": entrant.digest,
            "domain": [place.name, place.domain.to_dict()],
            "plan": asdict(self.plan),
            "curve": [self.curve_episodes, *snapshots] if (snapshots := self.snapshots(cell)) else None,
        }
        return self.played / f"{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]}.json"

    def cost(self, cell: Cell) -> int:
        """Return the number of episodes that a cell plays."""
        if cell.kind == "strip":
            return 2
        snapshots = len(self.snapshots(cell)) - 1 if self.snapshots(cell) else 0
        return self.plan.episodes + snapshots * self.curve_episodes

    def snapshots(self, cell: Cell) -> tuple[int, ...]:
        """Return the environment steps of the snapshots that a cell plays for the learning curves."""
        if not self.curve_episodes or self.places[cell.place].split not in ("source", "target"):
            return ()
        return self.entrants[cell.entrant].snapshot_steps

    def rows(self, cell: Cell) -> list[Row]:
        """Return the rows of a finished cell of episodes."""
        entrant, place = self.entrants[cell.entrant], self.places[cell.place]
        leak = place.leak
        if place.split == "target" and entrant.trains_in != "source":
            leak = leak_level(self.task, place.name, entrant.trains_in)
        found = [Episode(**episode) for episode in self.result(cell)["episodes"]]
        return [
            Row(
                method=entrant.method,
                seed=entrant.seed,
                agent=entrant.digest,
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


class Player:
    """Plays cells, and keeps the last domain's environments and the last agents at hand.

    Args:
        evaluation: what is to be played.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._arena: Arena | None = None
        self._agent = lru_cache(maxsize=16)(self._load)

    def play(self, cell: Cell, progress: Callable[[int], None] | None = None) -> None:
        """Play a cell and write its result.

        Args:
            cell: which.
            progress: told the number of episodes as they end.
        """
        tell = progress or (lambda _: None)
        shared = self._evaluation.shared(cell)
        if shared is not None and shared.is_file():
            result = read_json(shared)
            tell(self._evaluation.cost(cell))
        else:
            result = self._film(cell) if cell.kind == "strip" else self._episodes(cell, tell)
            if shared is not None:
                write_json(shared, result)
        write_json(self._evaluation.results / cell.file, result)

    def _episodes(self, cell: Cell, progress: Callable[[int], None]) -> dict[str, Any]:
        evaluation = self._evaluation
        arena = self._open(cell.place)
        agent = self._agent(cell.entrant, None)
        if isinstance(agent, Agent):
            arena.admit(agent)
        outcomes = arena.play(agent, evaluation.plan, progress)
        curve: list[tuple[int, float]] = []
        few = replace(evaluation.plan, episodes=max(1, evaluation.curve_episodes))
        chosen = evaluation.entrants[cell.entrant].env_steps
        for number, env_steps in enumerate(evaluation.snapshots(cell), start=1):
            # The snapshot that became the policy has played these episodes already.
            played = (
                outcomes[: few.episodes]
                if env_steps == chosen
                else arena.play(self._agent(cell.entrant, number), few, progress)
            )
            curve.append((env_steps, float(np.mean([episode.total for episode in played]))))
        return {"episodes": [asdict(outcome) for outcome in outcomes], "curve": curve}

    def _film(self, cell: Cell) -> dict[str, Any]:
        evaluation = self._evaluation
        entrant, place = evaluation.entrants[cell.entrant], evaluation.places[cell.place]
        said = shoot(
            self._agent(cell.entrant, None),
            evaluation.task.source,
            place.domain,
            place.name,
            evaluation.plan,
            evaluation.strip_frames,
            evaluation.strips / f"{cell.entrant:02d}-{cell.place:02d}.png",
        )
        return {"method": entrant.method, "seed": entrant.seed, "target": place.name, **said}

    def _open(self, place: int) -> Arena:
        where = self._evaluation.places[place]
        if self._arena is None or self._arena.name != where.name:
            self.close()
            self._arena = Arena(where.domain, self._evaluation.plan.environments, where.name)
        return self._arena

    def _load(self, number: int, snapshot: int | None) -> Actor:
        entrant = self._evaluation.entrants[number]
        if entrant.folder is None:
            arena = self._arena
            assert arena is not None
            return RandomAgent(arena.n_actions)
        if snapshot is None:
            return Agent.load(entrant.folder)
        policy = self._agent(number, None)
        assert isinstance(policy, Agent)
        return Agent.load(entrant.folder, policy.encoder, snapshot=snapshot)

    def close(self) -> None:
        """Close the environments."""
        if self._arena is not None:
            self._arena.close()
            self._arena = None


def places(task: TransferTask, splits: tuple[Split, ...]) -> list[Place]:
    """Return the domains of a task that belong to the splits, the source first and the targets last.

    Raises:
        InputError: the task has no domain of that split, or two domains have one name.
    """
    found: list[Place] = [Place("source", task.source, "source", "")] if "source" in splits else []
    if "validation" in splits:
        found.append(Place("validation", task.validation, "validation", ""))
    if "selection" in splits:
        if task.selection is None:
            raise InputError(f"task {task.name!r} has no selection contexts; leave 'selection' out of splits")
        found.append(Place("selection", task.selection, "selection", ""))
    if "target" in splits:
        found += [Place(name, domain, "target", leak_level(task, name)) for name, domain in task.targets.items()]
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
