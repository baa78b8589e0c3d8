"""Every vision model by name. A model registers itself, with its presets, in its own file.

    @register_model("factor_vae", label="FactorVAE", symbol="γ", weight="gamma", presets={"factor": {}})
    class FactorVAE(VAE): ...

A model of another package does the same in a module that its entry point of the group `darla.models` names; then
`darla see --model NAME` trains it. A class that is registered nowhere is named by its import path, as in
`darla see --model my_models:Mine`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, TypeVar

from darla.common import InputError
from darla.common.registry import Registry
from darla.vision.models.base import VisionModel

NO_SUPERVISION = "none"
"""How tables show the supervision of a model that needs images alone."""
_COLLECTED = {
    "labels": "collect frames of a world with factors, or give `factors` with your own images",
    "pairs": "collect them with --unit pair",
    "groups": "collect them with --unit group",
    "actions": "collect them with --unit transition",
    "domain_ids": "collect them with --looks, or from a task whose unlabeled domain has at least two parts",
}
"""How to get frames with each kind of supervision."""
M = TypeVar("M", bound=type[VisionModel])


@dataclass(frozen=True)
class Supervision:
    """What a model needs beyond images. Training checks it, and tables show it.

    It decides how a batch is arranged. A unit is what belongs together: k images, those of unit u being the rows
    k u, ..., k u + k - 1 of the batch, so that `images[0::k]` are the first images of all units. What is known beside
    the images is in the loss's argument `supervision` by the names below, in U rows for U units or N for N images.
    """

    labels: bool = False
    """Values of the factors behind each image: `labels`, float32 (N, K), names as 0, 1, ... in alphabetical order."""
    pairs: bool = False
    """Pairs of images that share factors; k is 2."""
    groups: bool = False
    """Groups of images in which one factor varies, or the rest of them together; k images a group, and `varied`, int64
    (U,): which part of `FrameSet.group_parts`."""
    actions: bool = False
    """Images before and after an action; k is 2. `actions`: int64 (U,) or, of continuous ones, float32 (U, A)."""
    domain_ids: bool = False
    """The domain of each image: k is the number of domains, and image j of a unit is of domain j. Images of a unit have
    nothing else in common."""

    def __post_init__(self) -> None:
        """Refuse two arrangements of one batch."""
        arranged = [kind for kind in self.kinds() if kind != "labels"]
        if len(arranged) > 1:
            raise InputError(f"a batch cannot be arranged by {' and by '.join(arranged)} at once")

    def __str__(self) -> str:
        """Return the kinds that are needed, or `none`."""
        return ", ".join(self.kinds()).replace("_", " ") or NO_SUPERVISION

    def kinds(self) -> list[str]:
        """Return the names of the kinds that are needed."""
        return [kind.name for kind in fields(self) if getattr(self, kind.name)]

    def check(self, model: str, frames: object) -> None:
        """Check that frames have what is needed, as non-empty attributes of the same names (`contexts` for labels).

        Raises:
            InputError: they lack it; says how frames that have it are collected.
        """
        for kind in self.kinds():
            content = getattr(frames, "contexts" if kind == "labels" else kind, None)
            if content is None or not len(content):
                what = kind.replace("_", " ")
                raise InputError(f"model {model!r} needs {what}, which these frames do not have; {_COLLECTED[kind]}")


@dataclass(frozen=True)
class ModelInfo:
    """What is registered of a model beside its class."""

    name: str
    label: str
    """For tables and figures."""
    symbol: str = ""
    """Symbol of the weight that settings are compared by, such as `β`."""
    weight: str = ""
    """The field of the configuration that holds this weight."""
    needs: Supervision = field(default_factory=Supervision)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For `darla see --preset`: by name, what to change in the default configuration of this model."""


MODELS: Registry[type[VisionModel]] = Registry("model", "darla.vision.models", "darla.models")
"""Every model by name. The first look-up imports darla's own; those of other packages are imported when looked up."""
_INFO: dict[type[VisionModel], ModelInfo] = {}


@MODELS.adopter
def _adopt(path: str, thing: object) -> type[VisionModel]:
    """Take a class that an import path names as a model."""
    if not (isinstance(thing, type) and issubclass(thing, VisionModel)):
        raise InputError(
            f"model {path!r} cannot be used: it must be a class derived from darla.vision.VisionModel, not {thing!r}"
        )
    if abstract := sorted(getattr(thing, "__abstractmethods__", ())):
        raise InputError(f"model {path!r} cannot be used: its class lacks {', '.join(abstract)}")
    return thing


def register_model(
    name: str,
    *,
    label: str,
    symbol: str = "",
    weight: str = "",
    needs: Supervision | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[M], M]:
    """Register a model class under a name; `ModelInfo` says what the arguments mean."""
    info = ModelInfo(name, label, symbol, weight, needs or Supervision(), MappingProxyType(dict(presets or {})))

    def register(model: M) -> M:
        MODELS.register(name)(model)
        _INFO[model] = info
        return model

    return register


def model_info(name: str) -> ModelInfo:
    """Return what is registered of a model beside its class.

    Raises:
        InputError: there is no such model.
    """
    model = MODELS[name]
    return _INFO.get(model, ModelInfo(name, label=plain_label(name)))


def plain_label(name: str) -> str:
    """Return the label of a model that states none: its name, or that of its class where it is an import path."""
    return name.rpartition(":")[2]


def own_models() -> list[ModelInfo]:
    """Return what is registered of darla's own models, by name; no other package is imported."""
    next(iter(MODELS))  # imports them
    own = [info for model, info in _INFO.items() if model.__module__.startswith(f"{MODELS.package}.")]
    return sorted(own, key=lambda info: info.name)
