"""The whole configuration of the first stage, learning to see."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Self, get_type_hints

from darla.common import InputError, unknown_name
from darla.vision.models.beta_vae import BetaVAEConfig
from darla.vision.models.dae import DAEConfig
from darla.vision.models.registry import find_model
from darla.vision.models.vae import VAEConfig
from darla.vision.training.config import TrainingConfig


@dataclass(frozen=True)
class SeeConfig:
    """Learn to see: which model, what it minimises, on which features, for how long."""

    model: str = "beta_vae"
    """Name in `darla.vision.MODELS`, or `dae_features`."""
    vae: VAEConfig = field(default_factory=BetaVAEConfig)
    """Networks and objective of the model, of its own kind of configuration."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """TrainResult of the model."""
    dae: DAEConfig = field(default_factory=DAEConfig)
    """The denoising autoencoder; trained only where the objective compares its features."""
    dae_training: TrainingConfig = field(default_factory=lambda: TrainingConfig(steps=5000, batch_size=32))
    """TrainResult of the denoising autoencoder."""
    held_out: float = 0.1
    """Share of the frames kept from training, for probes, pictures and held-out losses."""
    statistics_frames: int = 4096
    """TrainResult frames, at most, from which feature statistics are taken."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        wanted = find_model(self.model).Config
        if type(self.vae) is not wanted:
            raise InputError(f"model {self.model!r} takes {wanted.__name__}, not {type(self.vae).__name__}")
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out must be a share in (0, 1), not {self.held_out}")
        if self.statistics_frames < 2:
            raise InputError(f"statistics_frames must be at least 2, not {self.statistics_frames}")

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain, nested dictionaries."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "SeeConfig":
        """Build the configuration that `to_dict` gave; fields that are absent keep their defaults.

        Raises:
            InputError: a field is unknown.
        """
        model = find_model(str(found.get("model", cls.model)))
        built: SeeConfig = _build(cls, {"vae": {}, **found}, {"vae": model.Config})
        return built

    def with_model(self, name: str) -> Self:
        """Return a copy for another model, with its own objective and the networks and reconstruction term of this.

        Raises:
            InputError: there is no such model.
        """
        wanted = find_model(name).Config
        shared = {each.name: getattr(self.vae, each.name) for each in fields(VAEConfig)}
        return self if type(self.vae) is wanted else replace(self, model=name, vae=wanted(**shared))

    def change(self, **values: Any) -> Self:
        """Return a copy with fields changed, which are found by name at any depth.

        So `change(beta=4, layer="conv3", latent_dim=16)` is enough. A field that stands in several places is
        named with its section: `change(dae_training__steps=20_000)`, `change(training__steps=7000,
            vae__width=2)`. `model` changes first (`with_model`), so that its own fields can be named beside it:
            `change(model="factor_vae", gamma=10)`. This is what sweeps are written with.

        Raises:
            InputError: no field has that name, or several have.
        """
        changed = self.with_model(values.pop("model")) if "model" in values else self
        places = _places(changed)
        grouped: dict[tuple[str, ...], dict[str, Any]] = {}
        for name, value in values.items():
            *wanted, last = name.split("__")
            found = [path for path in places if path[-1] == last and _follows(wanted, path[:-1])]
            if not found:
                raise unknown_name("option", name, {path[-1] for path in places})
            if len(found) > 1:
                choices = ", ".join("__".join(path) for path in found)
                raise InputError(f"option {name!r} is in several places; say which: {choices}")
            grouped.setdefault(found[0][:-1], {})[last] = value
        # Fields of one section change together, since each intermediate state would have to be valid too.
        for path, group in grouped.items():
            changed = _replaced(changed, path, group)
        return changed


def _build(kind: Any, found: Mapping[str, Any], kinds: Mapping[str, Any] | None = None) -> Any:
    hints = {**get_type_hints(kind), **(kinds or {})}
    names = {each.name for each in fields(kind)}
    for name in found:
        if name not in names:
            raise unknown_name(f"field of {kind.__name__}", name, names)
    values = {name: _build(hints[name], value) if is_dataclass(hints[name]) else value for name, value in found.items()}
    return kind(**values)


def _places(config: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    places: list[tuple[str, ...]] = []
    for each in fields(config):
        value = getattr(config, each.name)
        places.append((*path, each.name))
        if is_dataclass(value):
            places += _places(value, (*path, each.name))
    return places


def _follows(wanted: list[str], path: tuple[str, ...]) -> bool:
    """Whether the sections `wanted` occur in `path`, in that order, the last of them last."""
    if not wanted:
        return True
    return bool(path) and path[-len(wanted) :] == tuple(wanted)


def _replaced(config: Any, path: tuple[str, ...], values: dict[str, Any]) -> Any:
    if path:
        values = {path[0]: _replaced(getattr(config, path[0]), path[1:], values)}
    return replace(config, **values)
