"""The whole configuration of the first stage, learning to see."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Self, get_type_hints

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig
from darla.vision.models.beta_vae import BetaVAEConfig
from darla.vision.models.config import VisionModelConfig
from darla.vision.models.dae import DAEConfig
from darla.vision.models.registry import MODELS
from darla.vision.training.config import TrainingConfig


@dataclass(frozen=True)
class SeeConfig(CheckedConfig):
    """Learn to see: which model, which objective, on which features, for how long."""

    model: str = "beta_vae"
    """Name in `darla.vision.MODELS`."""
    vae: VisionModelConfig = field(default_factory=BetaVAEConfig)
    """Networks and objective; each model has its own class of configuration."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Training of the model."""
    dae: DAEConfig = field(default_factory=DAEConfig)
    """The denoising autoencoder; trained only where the model uses its features."""
    dae_training: TrainingConfig = field(default_factory=lambda: TrainingConfig(steps=5000, batch_size=32))
    """Training of the denoising autoencoder."""
    held_out: float = 0.1
    """Fraction of the frames that are not trained on, for probes, images and held-out losses."""
    statistics_frames: int = 4096
    """Training frames, at most, from which statistics of features and codes are computed."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        kind = MODELS[self.model].Config
        if type(self.vae) is not kind:
            raise InputError(f"model {self.model!r} takes {kind.__name__}, not {type(self.vae).__name__}")
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out must be a fraction in (0, 1), not {self.held_out}")
        if self.statistics_frames < 2:
            raise InputError(f"statistics_frames must be at least 2, not {self.statistics_frames}")

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain, nested dictionaries."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SeeConfig":
        """Build a configuration from what `to_dict` returned; absent fields have their defaults.

        Raises:
            InputError: a field is unknown.
        """
        model = MODELS[str(values.get("model", cls.model))]
        config: SeeConfig = _build(cls, {"vae": {}, **values}, {"vae": model.Config})
        return config

    def with_model(self, name: str) -> Self:
        """Return a copy for another model, with its own objective and this one's networks and reconstruction term.

        Fields of the configurations' common base class are kept where they differ from its defaults.

        Raises:
            InputError: there is no such model.
        """
        kind = MODELS[name].Config
        if type(self.vae) is kind:
            return replace(self, model=name)
        base = next(base for base in type(self.vae).__mro__ if issubclass(kind, base))
        default = base()
        values = {each.name: getattr(self.vae, each.name) for each in fields(default)}
        changed = {name: value for name, value in values.items() if value != getattr(default, name)}
        return replace(self, model=name, vae=kind(**changed))

    def change(self, **values: Any) -> Self:
        """Return a copy with some fields changed; they are found by name in all sections.

        `change(beta=4, layer="conv3", latent_dim=16)` needs no sections. A name that occurs in several sections is
        given with its section: `change(dae_training__steps=20_000)`, `change(training__steps=7000, vae__width=2)`.
        `model` is changed first (`with_model`), so that fields of the new model can be given beside it:
        `change(model="factor_vae", gamma=10)`. Presets and sweeps are written with this.

        Raises:
            InputError: no field has that name, or several have.
        """
        changed = self.with_model(values.pop("model")) if "model" in values else self
        paths = _field_paths(changed)
        grouped: dict[tuple[str, ...], dict[str, Any]] = {}
        for name, value in values.items():
            *sections, last = name.split("__")
            matches = [path for path in paths if path[-1] == last and _ends_with(path[:-1], sections)]
            if not matches:
                raise unknown_name("option", name, {path[-1] for path in paths})
            if len(matches) > 1:
                choices = ", ".join("__".join(path) for path in matches)
                raise InputError(f"option {name!r} is ambiguous; use one of: {choices}")
            grouped.setdefault(matches[0][:-1], {})[last] = value
        # Fields of one section change together, because intermediate configurations would have to be valid too.
        for path, group in grouped.items():
            changed = _replaced(changed, path, group)
        return changed


def _build(kind: Any, values: Mapping[str, Any], kinds: Mapping[str, Any] | None = None) -> Any:
    hints = {**get_type_hints(kind), **(kinds or {})}
    names = {each.name for each in fields(kind)}
    for name in values:
        if name not in names:
            raise unknown_name(f"field of {kind.__name__}", name, names)
    built = {name: _build(hints[name], value) if is_dataclass(hints[name]) else value for name, value in values.items()}
    built = {name: tuple(value) if isinstance(value, list) else value for name, value in built.items()}  # from JSON
    return kind(**built)


def _field_paths(config: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    for each in fields(config):
        value = getattr(config, each.name)
        paths.append((*path, each.name))
        if is_dataclass(value):
            paths += _field_paths(value, (*path, each.name))
    return paths


def _ends_with(path: tuple[str, ...], sections: list[str]) -> bool:
    return not sections or path[-len(sections) :] == tuple(sections)


def _replaced(config: Any, path: tuple[str, ...], values: dict[str, Any]) -> Any:
    if path:
        values = {path[0]: _replaced(getattr(config, path[0]), path[1:], values)}
    return replace(config, **values)
