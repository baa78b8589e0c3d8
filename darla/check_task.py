"""Check a task whole before the first frame: every part of every domain is made, reset and stepped.

What is a problem would fail in a later stage, or give wrong results without failing. A warning is about something that
the user should know.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from darla.agents.vec_env.spaces import check_spaces
from darla.common import InputError
from darla.envs import AnyDomain, EnvDomain, TransferTask, Uniform
from darla.envs.domains.task_files import find_task
from darla.envs.image_size import SIDE_UNIT, encoders_read, readable_sizes
from darla.envs.probe_env import STEPS, ProbedEnv, parts_of, probe_env

_DARK = 1
"""Largest value of images that were surely scaled to [0, 1]."""


@dataclass(frozen=True)
class CheckedPart:
    """A variant of an environment, or a component of a world's domain."""

    domains: tuple[str, ...]
    """Names of the domains that have it."""
    what: str
    """Its environment and arguments."""
    probed: ProbedEnv | None
    """What it did; None if it failed."""


@dataclass(frozen=True)
class TaskCheck:
    """What the check of a task showed. `print` it."""

    task: str
    parts: tuple[CheckedPart, ...]
    problems: tuple[str, ...]
    """A sentence for everything that has to be mended; none if the task can be used."""
    warnings: tuple[str, ...]
    """A sentence for everything that is not as results assume."""

    @property
    def is_usable(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def require(self) -> None:
        """Print the warnings, and refuse a task with problems.

        Raises:
            InputError: there is a problem; names the first.
        """
        for warning in self.warnings:
            print(f"warning: {warning}", file=sys.stderr, flush=True)
        if self.problems:
            others = len(self.problems) - 1
            more = f" (and {others} more; darla check lists all)" if others else ""
            raise InputError(f"task {self.task!r}: {self.problems[0]}{more}")

    def __str__(self) -> str:
        lines = []
        for part in self.parts:
            shown = "failed" if part.probed is None else _shown(part.probed)
            lines.append(f"{', '.join(part.domains)}: {part.what}: {shown}")
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"problem: {problem}" for problem in self.problems]
        if self.is_usable:
            lines.append(f"{self.task} can be used: {len(self.parts)} environments were made, reset and stepped")
        return "\n".join(lines)


Seen = Sequence[tuple[CheckedPart, ProbedEnv]]
"""The parts that could be played."""


def check(task: TransferTask | Path | str) -> TaskCheck:
    """Make, reset and step every part of every domain of a task, twice with the same seeds and actions.

    Args:
        task: the transfer task, its name, or a JSON file.

    Returns:
        What was seen, problems and warnings; nothing is raised for a task that cannot be used (`TaskCheck.require`).

    Raises:
        InputError: there is no such task, or its file does not describe one.
    """
    task = find_task(task)
    domains = {"unlabeled": task.unlabeled, "source": task.source, "validation": task.validation}
    domains |= {} if task.selection is None else {"selection": task.selection}
    domains |= {f"target {name!r}": domain for name, domain in task.targets.items()}
    users: dict[str, list[str]] = {}
    parts: dict[str, AnyDomain] = {}
    for name, domain in domains.items():
        for key, part in parts_of(domain):
            parts.setdefault(key, part)
            if name not in users.setdefault(key, []):
                users[key].append(name)
    checked, problems = [], []
    for key, part in parts.items():
        probed = None
        try:
            probed = probe_env(part)
        except InputError as error:
            problems.append(f"{users[key][0]}: {error}")
        checked.append(CheckedPart(tuple(users[key]), _described(part), probed))
    seen = [(part, part.probed) for part in checked if part.probed is not None]
    problems += [*_unusable(seen), *_unlike(seen)]
    return TaskCheck(task.name, tuple(checked), tuple(dict.fromkeys(problems)), tuple(_warnings(seen)))


def is_tested(task: TransferTask) -> bool:
    """Return whether a task is of darla's own environments alone, whose tests are more thorough than a check."""
    domains = (task.unlabeled, task.source, task.validation, *task.targets.values())
    return not any(isinstance(domain, EnvDomain) or not domain.world.env_id.startswith("darla/") for domain in domains)


def _unusable(seen: Seen) -> Iterable[str]:
    """Yield what no agent or encoder could use, for each part."""
    refused = set()  # each kind once: all variants of an environment have the same actions
    for part, probed in seen:
        who = f"{part.domains[0]}: {part.what}"
        try:
            check_spaces(probed.observation_space, probed.action_space, who)
        except InputError as error:
            reason = str(error).replace(who, "")
            if reason not in refused:
                yield str(error)
            refused.add(reason)
        if probed.brightest <= _DARK:
            yield (
                f"{who} shows images with values from {probed.darkest} to {probed.brightest}, which are nearly black; "
                "images must run from 0 to 255: multiply them by 255 before they become uint8"
            )
    for height, width in sorted({probed.image_shape[:2] for _, probed in seen}):
        if not encoders_read((height, width)):
            closest, roomy = readable_sizes((height, width))
            yield (
                f"images are {height} x {width} pixels, but encoders read sides that are multiples of {SIDE_UNIT}; "
                f'write "resize": {closest} into the task, or "resize": {roomy} and "fit": "pad", for instance'
            )


def _unlike(seen: Seen) -> Iterable[str]:
    """Yield what differs between parts and must not."""
    shapes: dict[tuple[int, ...], str] = {}
    actions: list[tuple[gymnasium.Space[Any], str]] = []
    for part, probed in seen:
        shapes.setdefault(probed.image_shape, part.domains[0])
        if not any(space == probed.action_space for space, _ in actions):
            actions.append((probed.action_space, part.domains[0]))
    if len(shapes) > 1:
        listed = "; ".join(f"{' x '.join(map(str, shape))} in {name}" for shape, name in shapes.items())
        yield f'images must have one shape (height x width x channels) in all domains, and have {listed}; use "resize"'
    if len(actions) > 1:
        listed = "; ".join(f"{space} in {name}" for space, name in actions)
        yield f"actions must be the same in all domains, and are {listed}"


def _warnings(seen: Seen) -> Iterable[str]:
    for part, probed in seen:
        who = f"{part.domains[0]}: {part.what}"
        if probed.differs_at == 0:
            yield (
                f"{who} ignores reset(seed=...): two resets with one seed show different images. Agents will not be "
                "evaluated on the same episodes, and frames cannot be collected again"
            )
        elif probed.differs_at is not None:
            yield (
                f"{who} is not determined by reset(seed=...): with one seed and the same actions, two episodes differ "
                f"from step {probed.differs_at} on. Agents will not be evaluated on the same episodes"
            )
        if probed.darkest == probed.brightest:
            yield f"{who} shows one color, {probed.darkest}, in a reset and {STEPS} steps"


def _described(part: AnyDomain) -> str:
    if isinstance(part, EnvDomain):
        values = dict(part.values(0))
        return " ".join([str(values.pop("env_id")), *(f"{name}={value!r}" for name, value in values.items())])
    return " ".join(
        [part.world.env_id, *(f"{name}={_shown_spec(value)}" for name, value in part.components[0].items())]
    )


def _shown_spec(spec: object) -> str:
    return f"{spec.low:g} to {spec.high:g}" if isinstance(spec, Uniform) else repr(spec)


def _shown(probed: ProbedEnv) -> str:
    size = " x ".join(map(str, probed.image_shape))
    return f"images {size} from {probed.darkest} to {probed.brightest}, actions {probed.action_space}"
