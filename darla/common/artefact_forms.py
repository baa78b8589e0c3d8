"""The form of what artefacts of each kind record, as far as other stages read it.

Hashes show that a file was altered; they show nothing where they were renewed. A record of another form is then named
when the artefact is opened, and not where some stage cannot use it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Optional:
    """A form of something that may be missing or None."""

    form: Any


@dataclass(frozen=True)
class IfThere:
    """A form of something that may be missing but not None: who reads it has a default only for what is missing."""

    form: Any


_MISSING = object()

# A form is a type; a list with the form of each member; a dict with the forms of some of its keys, or with that of
# every value where its key is `str` itself.
_DOMAIN = {
    "name": str,
    "env_id": IfThere(str),
    "variants": IfThere([dict]),
    "world": IfThere(str),
    "components": IfThere([dict]),
    "factors": IfThere({str: int}),
}
_SHAPE = [int]
_SEE = {"model": str, "vae": dict, "training": dict, "dae": dict, "dae_training": dict}
_MADE = {"seed": Optional(int)}
_FRAMES = {"frames": Optional(str), "held_out": Optional(float), "statistics_frames": Optional(int)}
_AGENT = {
    "method": str,
    "seed": int,
    "digest": str,
    "encoder": Optional(str),
    "algorithm": str,
    "env_steps": int,
    "snapshot_steps": [int],
    "train_domain": str,
    "observation": str,
    "augment": [str],
    "fine_tune": bool,
}
_ATTRIBUTES = [{"name": str, "values": [str], "factor": str}]
CONFIGS: Mapping[str, Any] = MappingProxyType(
    {
        "frames": {
            **_MADE,
            "domain": _DOMAIN,
            "frames": Optional(int),
            "shard_size": Optional(int),
            "stride": Optional(int),
            "looks": Optional(int),
            "pair_changes": Optional(int),
            "group_size": Optional(int),
            "group_ratio": Optional(int),
            "group_factors": Optional([str]),
            "sampling": Optional(str),
        },
        "dae": {**_MADE, **_FRAMES, "image_shape": _SHAPE, "dae": dict, "training": dict},
        "encoder": {**_MADE, "image_shape": _SHAPE, "see": _SEE, "frames": Optional(str), "dae": Optional(str)},
        "agent": {
            **_MADE,
            "observation": str,
            "encoder": Optional(str),
            "act": {
                "algorithm": str,
                "settings": dict,
                "env_steps": int,
                "observation": str,
                "frame_stack": int,
                "augment": [str],
                "fine_tune": bool,
                "train_domain": str,
            },
            "source": _DOMAIN,
            "validation": Optional(_DOMAIN),
        },
        "metrics": {
            **_MADE,
            "encoder": Optional(str),
            "data": {**_DOMAIN, "frames": Optional(str)},
            "names": Optional([str]),
            "rows": int,
            "preset": str,
            "interval": Optional(int),
            "continuous": Optional([str]),
            "classes": Optional([str]),
        },
        "transfer": {
            "task": {
                "name": str,
                "unlabeled": _DOMAIN,
                "source": _DOMAIN,
                "validation": Optional(_DOMAIN),
                "selection": Optional(_DOMAIN),
                "targets": {str: _DOMAIN},
            },
            "transfer": dict,
            "agents": Optional([_AGENT]),
        },
        "concepts": {
            **_MADE,
            "encoder": Optional(str),
            "attributes": _ATTRIBUTES,
            "image_shape": _SHAPE,
            "see": _SEE,
            "concepts": dict,
            "data": str,
            "operators": Optional([str]),
        },
        "concept-judge": {
            **_MADE,
            "attributes": _ATTRIBUTES,
            "image_shape": _SHAPE,
            "data": Optional(str),
            "images": Optional(int),
            "held_out": Optional(int),
            "training": Optional(dict),
        },
        "concept-scores": {
            **_MADE,
            "run": Optional(str),
            "judge": Optional(str),
            "images": Optional(int),
            "concepts": Optional(int),
            "samples": Optional(int),
        },
        "followers": {**_MADE, "concepts": Optional(str), "settings": Optional(dict), "tried": Optional([str])},
        "measures": {**_MADE, "encoder": Optional(str), "tasks": Optional([dict])},
        "correlation": {
            "encoders": Optional([[str]]),
            "measures": Optional([str]),
            "transfers": Optional([str]),
            "correlation": Optional(dict),
        },
        "selection": {"frames": Optional(str), "ranking": Optional(str), "encoders": Optional([str])},
        "report": {"artefacts": Optional([str])},
    }
)
"""By kind, of the configuration."""
INPUTS: Mapping[str, Any] = MappingProxyType({"metrics": {"encoder": str}, "measures": {"encoder": str}})
"""By kind, of the inputs that a report looks up by their names."""
_PATHS = {
    "encoder_path": Optional(str),
    "frames_path": Optional(str),
    "run_path": Optional(str),
    "agent_paths": Optional({str: str}),
    "measure_paths": Optional({str: str}),
}
CARD = {
    "kind": str,
    "seed": int,
    "inputs": {str: str},
    "wall_seconds": float,
    "command": str,
    "versions": {str: str},
    "commit": Optional(str),
    "hardware": {"machine": str, "cores": int, "gpus": [str]},
    "extra": {"domain": Optional(_DOMAIN), "supervision": Optional(str)},
    "paths": _PATHS,
    "tracked": Optional(dict),
    "files": {str: str},
}
"""Of a card, whatever its kind."""


def first_of_another_form(value: Any, form: Any, path: str = "") -> tuple[str, Any] | None:
    """Return where a value has another form, as `PART.PART`, and what is there instead; None where it has that form.

    Args:
        value: JSON.
        form: see above.
        path: of the value; it begins the result.
    """
    if isinstance(form, Optional | IfThere):
        if value is _MISSING or (value is None and isinstance(form, Optional)):
            return None
        form = form.form
    if value is _MISSING:
        value = None  # as JSON would say it
    if not _is(value, type(form) if isinstance(form, list | dict) else form):
        return path, value
    wrong = (first_of_another_form(member, each, name) for name, member, each in _parts(value, form, path))
    return next((each for each in wrong if each is not None), None)


def _parts(value: Any, form: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Return place, value and form of each part of a list or a dict that has a form."""
    if isinstance(form, list):
        for place, member in enumerate(value):
            yield f"{path}[{place}]", member, form[0]
    elif isinstance(form, dict):
        every = form.get(str)
        for key in form if every is None else value:
            yield _joined(path, key), value.get(key, _MISSING), form[key] if every is None else every


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
