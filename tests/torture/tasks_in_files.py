"""Task files: every part replaced by anything that JSON can hold, read, checked and used."""

import json
from typing import Any

from altering import DELETED, WRONG, changed, places
from children import darla, in_child, unexpected
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import TASK, workshop

REFUSES = "a task, or refused in a sentence"
WORLD = {
    "name": "t",
    "world": "seek_avoid",
    "unlabeled": {"components": [{"wall_hue": {"uniform": [0.0, 1.0]}, "object_set": {"choice": ["A", "B"]}}]},
    "source": {"components": [{"wall_hue": 0.1}]},
    "validation": {"components": [{"wall_hue": 0.1}]},
    "selection": {"components": [{"wall_hue": 0.3}]},
    "targets": {"blue": {"components": [{"wall_hue": 0.6}]}},
}
WHOLES = {"world": WORLD, "environment": TASK}
_NAMES = (
    *("uniform", "choice", "components", "env_id", "variants", "name", "observation_key", "size", "level", "wall_hue"),
    *("targets", "source", "nope", "object_set", "extends"),
)
_SPECIAL = (
    *(float("nan"), float("inf"), [0], [0, 1], [1, 0], "countdown:Countdown", "countdown:Nope", "nope_module:Env"),
    *(
        "os:getcwd",
        "builtins:print",
        "CartPole-v1",
        "darla/SeekAvoid-v0",
        "CartPole-v",
        ":",
        "a:",
        ":b",
        "a:b:c",
        10**400,
    ),
)


def inputs() -> st.SearchStrategy[Any]:
    """Draw a task, a place in it, and a value."""
    leaf = st.one_of(st.sampled_from(WRONG), st.sampled_from(_SPECIAL), st.integers(), st.floats(), st.text(max_size=4))
    value = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=2)
        ),
        max_leaves=4,
    )
    return st.sampled_from(sorted(WHOLES)).flatmap(
        lambda which: st.tuples(
            st.just(which),
            st.sampled_from(list(places(WHOLES[which]))),
            st.one_of(value, st.just(DELETED)),
        )
    )


def attempt(value: tuple[str, tuple[Any, ...], Any]) -> Checked:
    """Collect frames of the task."""
    which, place, replaced = value
    if not place and replaced == DELETED:
        return {}
    with workshop().scratch() as out:
        path = out.parent / "task.json"
        path.write_text(json.dumps(changed(WHOLES[which], place, replaced)))
        words = ["collect", str(path), "--frames", "8", "--out", str(out)]
        ended = in_child(darla(words if which == "environment" else ["check", str(path)]), seconds=5, memory=12)
        left = f"it left {[path.name for path in out.rglob('*')]}" if ended.code == 2 and out.exists() else None
        return {REFUSES: unexpected(ended), "a refusal leaves no folder behind": left}


KINDS = (Kind("task files", inputs, attempt, 1.5, lambda value: value[0]),)
