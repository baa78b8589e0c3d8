"""The table of episodes: one row each, from which anyone can recompute every score, and its averages."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from darla.common import InputError
from darla.common.files import write_bytes
from darla.evaluation.aggregates import FloatArray

Split = Literal["source", "validation", "selection", "target"]
SPLITS: tuple[Split, ...] = ("source", "validation", "selection", "target")

_HEADER = {"total": "return"}
"""Column names that Python does not allow as field names."""


@dataclass(frozen=True)
class Row:
    """One evaluation episode of one agent."""

    method: str
    """The way of making an agent that this one is a sample of."""
    seed: int
    """Seed of the agent's training."""
    agent: str
    """Digest of the agent."""
    domain: str
    """Name of the domain in which the episode took place."""
    split: Split
    """What that domain is in the transfer task."""
    leak: str
    """Leak level of a target; empty for every other split."""
    episode: int
    """Number of the episode, from 0."""
    episode_seed: int
    """What the environment was reset with; the same for all agents."""
    total: float
    """Sum of the rewards: the undiscounted return."""
    length: int
    """Environment steps."""
    success: bool | None
    """What the environment said at the end; None if it says nothing."""
    truncated: bool
    """Whether the time limit ended the episode."""
    collected_good: int
    """Good objects collected; in other environments, steps with a positive reward."""
    collected_bad: int
    """Bad objects collected; in other environments, steps with a negative reward."""


@dataclass(frozen=True)
class EpisodeMeans:
    """The mean over episodes of one quantity, for every policy in every domain."""

    seeds: tuple[int, ...]
    """Rows."""
    encoders: tuple[str, ...] | None
    """For each row the digest of its encoder; None for a method without encoders."""
    domains: tuple[str, ...]
    """Columns."""
    returns: FloatArray
    """(S, D) mean return."""
    successes: FloatArray | None
    """(S, D) share of successful episodes; None where the environment does not say what success is."""
    truncated: FloatArray
    """(S, D) share of episodes that ran into the time limit."""
    lengths: FloatArray
    """(S, D) mean length in environment steps."""
    good: FloatArray
    """(S, D) mean number of good pick-ups in an episode."""
    bad: FloatArray
    """(S, D) mean number of bad ones."""

    def column(self, domain: str) -> int:
        """Return the column of a domain."""
        return self.domains.index(domain)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` as CSV with a header; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_HEADER.get(field.name, field.name) for field in fields(Row)])
    for row in rows:
        writer.writerow([_cell(getattr(row, field.name)) for field in fields(Row)])
    write_bytes(path, text.getvalue().encode())


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote.

    Raises:
        InputError: the file is missing or is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_row(record) for record in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"could not read {path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: it is not a table of episodes ({error})") from error


def mean_returns(rows: Sequence[Row], encoders: Mapping[str, str | None]) -> dict[str, EpisodeMeans]:
    """Average episodes into one table for each method, in the order in which names first appear.

    Args:
        rows: one for each episode.
        encoders: for the digest of each agent that of its encoder, None where it has none.

    Raises:
        InputError: an agent was not run in every domain for as many episodes as the others.
    """
    domains = tuple(dict.fromkeys(row.domain for row in rows))
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, row.seed, row.domain), []).append(row)
    episodes = max(map(len, groups.values()), default=0)
    tables = {}
    for method in dict.fromkeys(row.method for row in rows):
        seeds = tuple(dict.fromkeys(row.seed for row in rows if row.method == method))
        cells = [[groups.get((method, seed, domain), []) for domain in domains] for seed in seeds]
        for seed, of_seed in zip(seeds, cells, strict=True):
            for domain, cell in zip(domains, of_seed, strict=True):
                if len(cell) != episodes:
                    raise InputError(
                        f"{method}, seed {seed}, has {len(cell)} of {episodes} episodes in {domain!r}: "
                        "every agent must be run in every domain on the same episodes"
                    )
        stands_on = [encoders.get(of_seed[0][0].agent) for of_seed in cells]
        average = partial(_average, cells)
        says_success = all(row.success is not None for row in rows)
        tables[method] = EpisodeMeans(
            seeds=seeds,
            encoders=None if any(e is None for e in stands_on) else tuple(map(str, stands_on)),
            domains=domains,
            returns=average(lambda row: row.total),
            successes=average(lambda row: bool(row.success)) if says_success else None,
            truncated=average(lambda row: row.truncated),
            lengths=average(lambda row: row.length),
            good=average(lambda row: row.collected_good),
            bad=average(lambda row: row.collected_bad),
        )
    return tables


def _cell(value: object) -> object:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value


def _row(record: dict[str, str]) -> Row:
    split = next((known for known in SPLITS if known == record["split"]), None)
    if split is None:
        raise ValueError(f"unknown split {record['split']!r}")
    return Row(
        method=record["method"],
        seed=int(record["seed"]),
        agent=record["agent"],
        domain=record["domain"],
        split=split,
        leak=record["leak"],
        episode=int(record["episode"]),
        episode_seed=int(record["episode_seed"]),
        total=float(record["return"]),
        length=int(record["length"]),
        success=None if record["success"] == "" else record["success"] == "1",
        truncated=record["truncated"] == "1",
        collected_good=int(record["collected_good"]),
        collected_bad=int(record["collected_bad"]),
    )


def _average(cells: list[list[list[Row]]], value: Callable[[Row], float]) -> FloatArray:
    return np.array([[np.mean([value(row) for row in cell]) for cell in of_seed] for of_seed in cells])
