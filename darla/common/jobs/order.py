"""The order in which jobs that need each other are started, and how long all of them take."""

import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Ordered(Protocol):
    """What the order depends on."""

    @property
    def folder(self) -> Path:
        """Identity of the job."""

    @property
    def needs(self) -> tuple[Path, ...]:
        """Jobs that must be finished first."""

    @property
    def cost(self) -> float:
        """Expected seconds."""


def urgencies(jobs: Sequence[Ordered]) -> dict[Path, float]:
    """Return for each job the cost of the longest chain of jobs that starts with it."""
    users: dict[Path, list[Ordered]] = {}
    for job in jobs:
        for need in job.needs:
            users.setdefault(need, []).append(job)
    longest: dict[Path, float] = {}

    def chain(job: Ordered) -> float:
        if job.folder not in longest:
            longest[job.folder] = job.cost + max((chain(user) for user in users.get(job.folder, [])), default=0.0)
        return longest[job.folder]

    return {job.folder: chain(job) for job in jobs}


def makespan(jobs: Sequence[Ordered], workers: int) -> float:
    """Return the seconds that jobs take on `workers` workers, the most urgent first, if each takes what it costs.

    Args:
        jobs: those that are not done; what they need and is not among them counts as done.
        workers: at least 1.
    """
    urgency = urgencies(jobs)
    waiting = sorted(jobs, key=lambda job: -urgency[job.folder])
    unfinished = {job.folder for job in jobs}
    running: list[tuple[float, int, Path]] = []
    now, number = 0.0, 0
    while waiting or running:
        for job in list(waiting):
            if len(running) < workers and unfinished.isdisjoint(job.needs):
                waiting.remove(job)
                heapq.heappush(running, (now + job.cost, number, job.folder))
                number += 1
        if not running:
            break  # they need each other
        now, _, folder = heapq.heappop(running)
        unfinished.discard(folder)
    return now
