"""Transfer tasks by name; `register` adds one.

A task names D_U (what the unlabeled frames are drawn from), D_S (where the policy trains), the source's validation
split, contexts for choosing between encoders, and its targets. How much of a target the learners have met is computed
from these domains (`leak_level`).

Every module of `darla.envs.transfer_tasks` registers tasks; another package offers one by an entry point of the group
`darla.tasks` whose name is that of the task.
"""

from collections.abc import Mapping
from typing import Any

from darla.common import InputError
from darla.common.checked_config import checked_arguments
from darla.common.registry import Registry
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.domains.transfer_task import Leak, TransferTask, leak_level

__all__ = ["TASKS", "Leak", "TransferTask", "environment_task", "get", "leak_level", "names", "register"]

TASKS: Registry[TransferTask] = Registry("task", "darla.envs.transfer_tasks", "darla.tasks")
"""Every task by name."""


def names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return tuple(TASKS)


@checked_arguments
def get(name: str) -> TransferTask:
    """Return a task by name.

    Raises:
        InputError: there is no such task.
    """
    return TASKS[name]


@checked_arguments
def register(task: TransferTask) -> TransferTask:
    """Register a task of your own under its name, and return it.

    Raises:
        InputError: another task has that name.
    """
    len(TASKS)  # imports darla's own tasks, so that one of their names is noticed here and not later
    try:
        return TASKS.register(task.name)(task)
    except ValueError as error:
        raise InputError(f"there is a task {task.name!r} already; choose another name") from error


@checked_arguments
def environment_task(
    name: str,
    unlabeled: tuple[str, Mapping[str, Any]] | EnvDomain,
    source: tuple[str, Mapping[str, Any]] | EnvDomain,
    targets: Mapping[str, tuple[str, Mapping[str, Any]] | EnvDomain],
) -> TransferTask:
    """Make a task of any Gymnasium environment with image observations.

    Args:
        name: of the task.
        unlabeled: environment id and keyword arguments of D_U.
        source: the same for D_S.
        targets: the same for each target, by name.
    """

    def domain(role: str, data: tuple[str, Mapping[str, Any]] | EnvDomain) -> EnvDomain:
        return data if isinstance(data, EnvDomain) else EnvDomain(role, data[0], (dict(data[1]),))

    target_domains = {target: domain(target, data) for target, data in targets.items()}
    source_domain = domain("source", source)
    validation = EnvDomain("validation", source_domain.env_id, source_domain.variants)
    return TransferTask(name, domain("unlabeled", unlabeled), source_domain, validation, target_domains)
