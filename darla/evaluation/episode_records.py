"""One record per evaluation episode, from which every score can be recomputed, and the means over episodes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from darla.common import InputError
from darla.common.csv_rows import read_rows, write_rows
from darla.evaluation.aggregates import FloatArray
from darla.evaluation.transfer_config import SPLITS, Split

COLUMNS = (
    "method",
    "seed",
    "agent",
    "domain",
    "split",
    "leak",
    "episode",
    "episode_seed",
    "return",
    "length",
    "success",
    "truncated",
    "collected_good",
    "collected_bad",
)
"""Columns of `episodes.csv`."""


@dataclass(frozen=True)
class Episode:
    """The outcome of one episode."""

    number: int
    """From 0."""
    seed: int
    """Seed that the environment was reset with; the same for all agents."""
    return_: float
    """Undiscounted sum of the rewards."""
    length: int
    """Environment steps."""
    success: bool | None
    """What the environment reported at the end; None if it does not report success."""
    truncated: bool
    """Whether the last step reached the time limit, be the episode terminated there or not."""
    collected_good: int | None
    """Good objects collected; None where the environment reports none."""
    collected_bad: int | None
    """Bad objects collected; None where the environment reports none."""


@dataclass(frozen=True)
class EpisodeRecord:
    """One evaluation episode of one agent in one domain."""

    method: str
    """The way of making an agent that this one is a sample of."""
    seed: int
    """Seed of the agent's training."""
    agent: str
    """Digest of the agent."""
    domain: str
    """Name of the domain in which the episode took place."""
    split: Split
    """Role of that domain in the transfer task."""
    leak: str
    """Leak level of a target; empty for every other split."""
    episode: Episode

    def to_row(self) -> dict[str, Any]:
        """Return the cells of its row in `episodes.csv`, by column."""
        episode = self.episode
        return {
            "method": self.method,
            "seed": self.seed,
            "agent": self.agent,
            "domain": self.domain,
            "split": self.split,
            "leak": self.leak,
            "episode": episode.number,
            "episode_seed": episode.seed,
            "return": episode.return_,
            "length": episode.length,
            "success": episode.success,
            "truncated": episode.truncated,
            "collected_good": episode.collected_good,
            "collected_bad": episode.collected_bad,
        }

    @classmethod
    def from_row(cls, cells: Mapping[str, str]) -> "EpisodeRecord":
        """Return what `to_row` was called on.

        Raises:
            KeyError: a column is missing.
            ValueError: a cell is of another type.
        """
        split = next((split for split in SPLITS if split == cells["split"]), None)
        if split is None:
            raise ValueError(f"unknown split {cells['split']!r}")
        episode = Episode(
            number=int(cells["episode"]),
            seed=int(cells["episode_seed"]),
            return_=float(cells["return"]),
            length=int(cells["length"]),
            success=None if cells["success"] == "" else _flag(cells["success"]),
            truncated=_flag(cells["truncated"]),
            collected_good=_count(cells["collected_good"]),
            collected_bad=_count(cells["collected_bad"]),
        )
        return cls(cells["method"], int(cells["seed"]), cells["agent"], cells["domain"], split, cells["leak"], episode)


@dataclass(frozen=True)
class EpisodeMeans:
    """Means over the episodes of each policy of one method in each domain."""

    seeds: tuple[int, ...]
    """Rows: S policies."""
    encoders: tuple[str, ...] | None
    """For each row the digest of its encoder; None for a method without encoders."""
    domains: tuple[str, ...]
    """Columns: D domains."""
    returns: FloatArray
    """(S, D) mean return."""
    successes: FloatArray | None
    """(S, D) share of successful episodes; None where the environment does not report success."""
    truncated: FloatArray
    """(S, D) share of episodes whose last step reached the time limit."""
    lengths: FloatArray
    """(S, D) mean length in environment steps."""
    good: FloatArray | None
    """(S, D) mean number of good objects collected in an episode; None where the environment reports none."""
    bad: FloatArray | None
    """(S, D) mean number of bad objects collected in an episode; None where the environment reports none."""

    def column(self, domain: str) -> int:
        """Return the column of a domain."""
        return self.domains.index(domain)


def write_episodes(path: Path, records: Iterable[EpisodeRecord]) -> None:
    """Write `records` as CSV with a header; the same records give the same bytes."""
    write_rows(path, [record.to_row() for record in records], COLUMNS)


def read_episodes(path: Path) -> list[EpisodeRecord]:
    """Read what `write_episodes` wrote.

    Raises:
        ArtefactError: the file is missing, or a column or cell is not that of such a table.
    """
    return read_rows(path, EpisodeRecord.from_row)


def mean_returns(records: Sequence[EpisodeRecord], encoders: Mapping[str, str | None]) -> dict[str, EpisodeMeans]:
    """Average episodes into one table for each method, in the order in which names first appear.

    Args:
        records: one for each episode.
        encoders: by digest of an agent the digest of its encoder, None where it has none.

    Raises:
        InputError: an agent was not run in every domain for as many episodes as the others.
    """
    domains = tuple(dict.fromkeys(record.domain for record in records))
    groups: dict[tuple[str, int, str], list[EpisodeRecord]] = {}
    for record in records:
        groups.setdefault((record.method, record.seed, record.domain), []).append(record)
    episodes = max(map(len, groups.values()), default=0)
    tables = {}
    for method in dict.fromkeys(record.method for record in records):
        seeds = tuple(dict.fromkeys(record.seed for record in records if record.method == method))
        cells = [[groups.get((method, seed, domain), []) for domain in domains] for seed in seeds]
        for seed, of_seed in zip(seeds, cells, strict=True):
            for domain, cell in zip(domains, of_seed, strict=True):
                if len(cell) != episodes:
                    raise InputError(
                        f"{method}, seed {seed}, has {len(cell)} of {episodes} episodes in {domain!r}: "
                        "every agent must be run in every domain on the same episodes"
                    )
        row_encoders = [encoders.get(of_seed[0][0].agent) for of_seed in cells]
        average = partial(_average, cells)
        reports_success = all(record.episode.success is not None for record in records)
        has_good, has_bad = (
            all(getattr(record.episode, name) is not None for record in records)
            for name in ("collected_good", "collected_bad")
        )
        tables[method] = EpisodeMeans(
            seeds=seeds,
            encoders=None if any(digest is None for digest in row_encoders) else tuple(map(str, row_encoders)),
            domains=domains,
            returns=average(lambda episode: episode.return_),
            successes=average(lambda episode: bool(episode.success)) if reports_success else None,
            truncated=average(lambda episode: episode.truncated),
            lengths=average(lambda episode: episode.length),
            good=average(lambda episode: episode.collected_good or 0) if has_good else None,
            bad=average(lambda episode: episode.collected_bad or 0) if has_bad else None,
        )
    return tables


def _average(cells: list[list[list[EpisodeRecord]]], value: Callable[[Episode], float]) -> FloatArray:
    return np.array([[np.mean([value(record.episode) for record in cell]) for cell in of_seed] for of_seed in cells])


def _count(cell: str) -> int | None:
    return None if cell == "" else int(cell)


def _flag(cell: str) -> bool:
    if cell not in ("0", "1"):
        raise ValueError(f"{cell!r} is neither 0 nor 1")
    return cell == "1"
