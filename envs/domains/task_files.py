"""Transfer tasks from JSON files.

    {
      "name": "corridors",
      "unlabeled": {"env_id": "MiniWorld-Hallway-v0", "variants": [{"length": 8}, {"length": 12}]},
      "source": {"env_id": "MiniWorld-Hallway-v0", "variants": [{"length": 8}]},
      "targets": {"long": {"env_id": "MiniWorld-Hallway-v0", "variants": [{"length": 12}]}}
    }

A domain is either an environment, as here, or one of the world that the task names:

    {
      "name": "new walls",
      "world": "seek_avoid",
      "unlabeled": {"components": [{"wall_hue": {"uniform": [0.0, 1.0]}, "object_set": {"choice": ["A", "B"]}}]},
      "source": {"components": [{"wall_hue": 0.1}]},
      "targets": {"blue": {"components": [{"wall_hue": 0.6}]}}
    }

`validation` is the source again if it is not given.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darla.common import InputError, unknown_name
from darla.common.artefact import first_not_finite
from darla.common.files import read_json
from darla.envs import WORLDS, AnyDomain, TransferTask, domain_from_dict, tasks

_NEEDED = ("name", "unlabeled", "source", "targets")
_OPTIONAL = ("world", "validation", "selection", "about")


def find_task(name: str) -> TransferTask:
    """Return a task by its registered name, or the task that a file ending in `.json` describes.

    Raises:
        InputError: there is no such task, or the file does not describe one.
    """
    if not name.endswith(".json"):
        return tasks.get(name)
    return task_from_dict(read_json(Path(name)), name)


def task_from_dict(data: Any, where: str = "the data") -> TransferTask:
    """Build a task from plain data, such as `TransferTask.to_dict` gives.

    Args:
        data: see the head of this module.
        where: what the error calls the data.

    Raises:
        InputError: a part is missing, unknown, or of the wrong form.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where} holds {type(data).__name__}, but a task is an object with {', '.join(_NEEDED)}")
    if missing := [part for part in _NEEDED if part not in data]:
        raise InputError(f"{where} has no {missing[0]!r}, but a task needs {', '.join(_NEEDED)}")
    for part in data:
        if part not in (*_NEEDED, *_OPTIONAL):
            raise unknown_name(f"part of the task in {where}:", str(part), (*_NEEDED, *_OPTIONAL))
    if not isinstance(data["name"], str) or not data["name"].strip():
        raise InputError(f"{where}: the name of a task is {data['name']!r}, but must be text")
    if (wrong := first_not_finite(data)) is not None:
        raise InputError(f"{where}: {wrong[0]} is {wrong[1]}, but must be finite")
    if not isinstance(data["targets"], Mapping):
        raise InputError(f"{where}: targets must be an object with a domain for each name")
    world, selection = data.get("world"), data.get("selection")
    validation = data.get("validation") or {**_mapping("source", data["source"], where), "name": "validation"}
    return TransferTask(
        str(data["name"]),
        _domain("unlabeled", data["unlabeled"], world, where),
        _domain("source", data["source"], world, where),
        _domain("validation", validation, world, where),
        {str(name): _domain(str(name), target, world, where) for name, target in data["targets"].items()},
        _domain("selection", selection, world, where) if selection else None,
        str(data.get("about", "")),
    )


def _domain(role: str, data: Any, world: Any, where: str) -> AnyDomain:
    data = _mapping(role, data, where)
    if "env_id" in data:
        variants = data.get("variants", [{}])
        if not isinstance(variants, list) or not all(isinstance(variant, Mapping) for variant in variants):
            raise InputError(f"{where}: the variants of {role} must be a list of objects with keyword arguments")
        if not isinstance(data["env_id"], str) or not data["env_id"].strip():
            raise InputError(f"{where}: env_id of {role} is {data['env_id']!r}, but must be the id of an environment")
        return domain_from_dict({"name": role, **data, "variants": variants})
    named = data.get("world", world)
    if not isinstance(named, str):
        raise InputError(
            f"{where}: {role} has 'components', so 'world' must be the name of a world: {', '.join(WORLDS)}"
        )
    return domain_from_dict({"name": role, **data, "world": named})


def _mapping(role: str, data: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not {"env_id", "components"} & data.keys():
        raise InputError(f"{where}: {role} must be an object with either 'env_id' (and 'variants') or 'components'")
    return data
