"""Transfer tasks from JSON files.

    {
      "name": "corridors",
      "unlabeled": {"env_id": "MiniWorld-Hallway-v0", "variants": [{"length": 8}, {"length": 12}]},
      "source": {"env_id": "MiniWorld-Hallway-v0", "variants": [{"length": 8}]},
      "targets": {"long": {"env_id": "MiniWorld-Hallway-v0", "variants": [{"length": 12}]}}
    }

What is done to an environment stands beside its id, for all variants (`darla.envs.domains.env_setup` lists the parts),
and modules are searched beside the file. An id and such parts that stand beside the name of the task are those of every
domain that has none of its own. A domain is either an environment, as here, or one of the world that the task
names:

    {
      "name": "new walls",
      "world": "seek_avoid",
      "unlabeled": {"components": [{"wall_hue": {"uniform": [0.0, 1.0]}, "object_set": {"choice": ["A", "B"]}}]},
      "source": {"components": [{"wall_hue": 0.1}]},
      "targets": {"blue": {"components": [{"wall_hue": 0.6}]}}
    }

`validation` is the source again if it is not given.

In place of `targets`, `axes` makes a target for each factor of a world, in which it alone leaves the source's values
(`darla.envs.domains.axes`). Nothing else is needed: the source then has every factor at its default, and D_U is
everything that the world can look like.

    {"name": "one at a time", "world": "seek_avoid", "axes": {"factors": ["wall_hue", "floor_hue"], "pairs": true}}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darla.common import InputError, unknown_name
from darla.common.artefact import first_not_finite
from darla.common.checked_config import checked_arguments
from darla.common.files import read_json
from darla.envs import WORLDS, AnyDomain, TransferTask, domain_from_dict, tasks
from darla.envs.domains.axes import axes_task
from darla.envs.domains.env_setup import SETUP_PARTS

_NEEDED = ("name", "unlabeled", "source", "targets")
_OPTIONAL = ("world", "validation", "selection", "axes", "about")
_SHARED = ("env_id", *SETUP_PARTS)
"""What may stand beside the name, for all domains of environments."""
_OF_WORLDS = ("name", "world", "components")
_AXES = ("factors", "pairs", "distance")
"""Parts of `axes`; `true` stands for an object without any."""
_WITH_AXES = ("name", "world", "axes", "source", "unlabeled", "about")
_LISTED = ", ".join(_WITH_AXES)


def find_task(task: TransferTask | Path | str) -> TransferTask:
    """Return a task by its registered name, or the task that a file ending in `.json` describes; a task as it is.

    Raises:
        InputError: there is no such task, the file does not describe one, or something else is given.
    """
    if isinstance(task, TransferTask):
        return task
    if not isinstance(task, Path | str):
        raise InputError(f"a task is a TransferTask, its name or its JSON file, not {type(task).__name__}")
    path = Path(task)
    if path.suffix != ".json":
        if path.is_file():
            raise InputError(f"{task} is no task: a task file is JSON, and its name ends in .json")
        return tasks.get(str(task))
    return task_from_dict(read_json(path), str(task), str(path.resolve().parent))


@checked_arguments
def task_from_dict(data: Any, where: str = "the data", folder: str = "") -> TransferTask:
    """Build a task from plain data, such as `TransferTask.to_dict` gives.

    Args:
        data: see the head of this module.
        where: what the error calls the data.
        folder: where modules that the task names are searched first.

    Raises:
        InputError: a part is missing, unknown, or of the wrong form.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where} holds {type(data).__name__}, but a task is an object with {', '.join(_NEEDED)}")
    needed = ("name", "world") if "axes" in data else _NEEDED
    if missing := [part for part in needed if part not in data]:
        kind = "a task of axes" if "axes" in data else "a task"
        raise InputError(f"{where} has no {missing[0]!r}, but {kind} needs {', '.join(needed)}")
    for part in data:
        if part not in (*_NEEDED, *_OPTIONAL, *_SHARED):
            raise unknown_name(f"part of the task in {where}:", str(part), (*_NEEDED, *_OPTIONAL, *_SHARED))
    if not isinstance(data["name"], str) or not data["name"].strip():
        raise InputError(f"{where}: the name of a task is {data['name']!r}, but must be text")
    if (wrong := first_not_finite(data)) is not None:
        raise InputError(f"{where}: {wrong[0]} is {wrong[1]}, but must be finite")
    if "axes" in data:
        return _axes_task(data, where)
    if not isinstance(data["targets"], Mapping):
        raise InputError(f"{where}: targets must be an object with a domain for each name")
    selection, shared = data.get("selection"), {part: data[part] for part in ("world", *_SHARED) if part in data}
    source = _mapping("source", data["source"], shared, where)
    validation = data.get("validation") or {**source, "name": "validation"}

    def domain(role: str, described: Any) -> AnyDomain:
        return _domain(role, _mapping(role, described, shared, where), where, folder)

    return TransferTask(
        str(data["name"]),
        domain("unlabeled", data["unlabeled"]),
        domain("source", source),
        domain("validation", validation),
        {str(name): domain(str(name), target) for name, target in data["targets"].items()},
        domain("selection", selection) if selection else None,
        str(data.get("about", "")),
    )


def _axes_task(data: Mapping[str, Any], where: str) -> TransferTask:
    """Build a task with a target for each factor of a world."""
    for part in data:
        if part not in _WITH_AXES:
            raise InputError(f"{where}: {part!r} would be ignored beside 'axes', with which a task has {_LISTED}")
    given = {} if data["axes"] is True else data["axes"]
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: axes is {given!r}, but must be true, or an object with {', '.join(_AXES)}")
    for part in given:
        if part not in _AXES:
            raise unknown_name(f"part of the axes in {where}:", str(part), _AXES)
    for part in ("factors", "pairs"):
        value = given.get(part, [])
        if not isinstance(value, list) and not (part == "pairs" and isinstance(value, bool)):
            raise InputError(f"{where}: {part} of the axes is {value!r}, but must be a list of names"
                             f"{' of two factors each, or true' if part == 'pairs' else ''}")  # fmt: skip
    shared = {"world": data["world"]}
    domains: dict[str, Any] = {}
    for role in ("source", "unlabeled"):
        if role in data:
            domains[role] = _domain(role, _mapping(role, data[role], shared, where), where, "")
    try:
        return axes_task(data["world"], name=data["name"], about=str(data.get("about", "")), **given, **domains)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _domain(role: str, data: Mapping[str, Any], where: str, folder: str) -> AnyDomain:
    if "env_id" in data:
        try:
            return domain_from_dict({"name": role, **data}, folder)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    for part in data:
        if part not in _OF_WORLDS:
            raise unknown_name(f"part of {role} in {where}:", str(part), _OF_WORLDS)
    if not isinstance(data.get("world"), str):
        raise InputError(
            f"{where}: {role} has 'components', so 'world' must be the name of a world: {', '.join(WORLDS)}"
        )
    return domain_from_dict({"name": role, **data})


def _mapping(role: str, data: Any, shared: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the description of a domain, with what all domains share."""
    if not isinstance(data, Mapping) or not ({"env_id", "components"} & data.keys() or "env_id" in shared):
        raise InputError(f"{where}: {role} must be an object with either 'env_id' (and 'variants') or 'components'")
    names = ("world",) if "components" in data and "env_id" not in data else _SHARED
    return {**{name: shared[name] for name in names if name in shared}, **data}
