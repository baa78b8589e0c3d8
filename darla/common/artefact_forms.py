"""The form of what artefacts of each kind record, as far as other stages read it.

Hashes show that a file was altered; they show nothing where they were renewed. A record of another form is then named
when the artefact is opened, and not where some stage cannot use it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Optional:
    """A form of something that may be missing or None."""

    form: Any


# A form is a type; a list with the form of each member; a dict with the forms of some of its keys, or with that of
# every value where its key is `str` itself.
_DOMAIN = {
    "name": str,
    "env_id": Optional(str),
    "variants": Optional([dict]),
    "world": Optional(str),
    "components": Optional([dict]),
    "factors": Optional({str: int}),
}
_SHAPE = [int]
_SEE = {"model": str, "vae": dict, "training": dict, "dae": dict, "dae_training": dict}
_ATTRIBUTES = [{"name": str, "values": [str], "factor": str}]
CONFIGS: Mapping[str, Any] = MappingProxyType(
    {
        "frames": {"domain": _DOMAIN},
        "dae": {"image_shape": _SHAPE, "dae": dict, "training": dict},
        "encoder": {"image_shape": _SHAPE, "see": _SEE},
        "agent": {
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
        "metrics": {"data": _DOMAIN, "rows": int, "preset": str},
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
        },
        "concepts": {
            "attributes": _ATTRIBUTES,
            "image_shape": _SHAPE,
            "see": _SEE,
            "concepts": dict,
            "data": Optional(str),
        },
        "concept-judge": {"attributes": _ATTRIBUTES, "image_shape": _SHAPE},
    }
)
"""By kind, of the configuration."""
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
    "paths": dict,
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
    if isinstance(form, Optional):
        return None if value is None else first_of_another_form(value, form.form, path)
    if isinstance(form, list):
        members = list(enumerate(value)) if isinstance(value, list) else None
        parts = None if members is None else [(f"{path}[{place}]", member, form[0]) for place, member in members]
    elif isinstance(form, dict) and str in form:
        named = value.items() if isinstance(value, dict) else None
        parts = None if named is None else [(_joined(path, key), member, form[str]) for key, member in named]
    elif isinstance(form, dict):
        known = value if isinstance(value, dict) else None
        parts = None if known is None else [(_joined(path, key), known.get(key), each) for key, each in form.items()]
    else:
        parts = [] if _is(value, form) else None
    if parts is None:
        return path, value
    wrong = (first_of_another_form(member, each, name) for name, member, each in parts)
    return next((each for each in wrong if each is not None), None)


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
