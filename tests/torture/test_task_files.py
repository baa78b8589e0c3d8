"""Every part of a task file replaced by values of every wrong kind: a sentence or a task, never anything else."""

import json
from typing import Any

import pytest
from altering import DELETED, changed, places
from tasks_in_files import WORLD

from darla.common import InputError
from darla.envs.domains.task_files import find_task

_ENV = {"env_id": "darla/SeekAvoid-v0", "variants": [{"max_steps": 10}]}
ENVIRONMENT = {"name": "t", "unlabeled": _ENV, "source": _ENV, "targets": {"x": _ENV}}
WRONG: list[Any] = [
    *(None, True, 0, -1, 10**30, 1e400, float("nan"), "", " ", "x" * 300, [], {}, [[]], [None], {"a": 1}, {"name": 1}),
    *({"uniform": wrong} for wrong in ([0], [0, 1, 2], "ab", None, [1, 0], [0, 0], [float("nan"), 1], ["a", "b"], {})),
    *({"choice": wrong} for wrong in ([], None, [{}], [None], "ab", {"a": 1}, [[0]])),
    *({"components": wrong} for wrong in (None, [], {}, [1], [{"wall_hue": None}], [{"no such": 1}])),
    *({"env_id": wrong} for wrong in (None, "", 1, ["a"])),
]


@pytest.mark.parametrize("whole", [WORLD, ENVIRONMENT], ids=["world", "environment"])
def test_a_task_file_of_any_wrong_form_is_refused_in_a_sentence(whole, tmp_path):
    path, tries = tmp_path / "task.json", 0
    for place in places(whole):
        for value in [*WRONG, DELETED] if place else WRONG:
            tried = changed(whole, place, value)
            path.write_text(json.dumps(tried))
            tries += 1
            try:
                task = find_task(str(path))
            except InputError:
                continue
            except Exception as error:
                pytest.fail(f"{place} = {value!r} ends in {type(error).__name__}: {error}")
            assert isinstance(task.name, str)
            assert json.loads(json.dumps(task.unlabeled.to_dict(), allow_nan=False))
    assert tries > 400


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00", '{"name": NaN'])
def test_what_is_no_json_is_refused_in_a_sentence(text, tmp_path):
    path = tmp_path / "task.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not JSON"):
        find_task(str(path))
