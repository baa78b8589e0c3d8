"""The probes of an encoder or denoising autoencoder: what was measured of it when it was trained (`probes.json`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from darla.common.errors import ArtefactError
from darla.common.files import read_json
from darla.common.json_records import from_json

_FILE = "probes.json"
_NO_TARGETS = {"kl", "reconstruction", "dead_units", "latents", "images_fitted", "images_scored"}
"""Keys of the file that are no target of a probe."""


@dataclass(frozen=True)
class ProbeScore:
    """How well one property of the image is predicted from held-out codes."""

    linear: float
    """Score of a linear probe."""
    nonlinear: float
    """Score of a small network."""
    chance: float
    """Score without any information in the codes."""
    ceiling: float
    """Score of a perfect prediction."""
    measure: str
    """`balanced accuracy` or `R2`."""


@dataclass(frozen=True)
class CodeKL:
    """KL divergence of the posterior from the prior on held-out frames, in nats."""

    total: float
    active_units: int
    """Latents whose KL is not negligible."""
    per_latent: tuple[float, ...]


@dataclass(frozen=True)
class EncoderProbes:
    """The content of `probes.json`."""

    targets: Mapping[str, ProbeScore]
    """By fact of the world, classes first; in SeekAvoid `kind`, `bearing` and `distance` of the nearest object."""
    kl: CodeKL | None = None
    """None for a model without a prior."""
    reconstruction: Mapping[str, float] = field(default_factory=dict)
    """Errors of held-out reconstructions, such as `mean_squared_error` per pixel and channel."""
    dead_units: float | None = None
    """Share of the encoder's units whose output is the same for every image; None where it was not measured."""

    @classmethod
    def load(cls, folder: Path) -> "EncoderProbes":
        """Read the probes of an encoder.

        Args:
            folder: of the encoder artefact.

        Raises:
            ArtefactError: the file is missing, or a field is missing or of another type.
        """
        path = folder / _FILE
        data: Any = read_json(path)
        if not isinstance(data, dict):
            raise ArtefactError(f"{path} is damaged: it must hold one JSON object")
        targets = {name: value for name, value in data.items() if name not in _NO_TARGETS}
        rest = {name: data[name] for name in ("kl", "reconstruction", "dead_units") if name in data}
        probes: EncoderProbes = from_json(cls, {"targets": targets, **rest}, path)
        # Files of records are sorted by key; tables show classes first, then numbers.
        ordered = sorted(
            probes.targets.items(), key=lambda target: (target[1].measure != "balanced accuracy", target[0])
        )
        return replace(probes, targets=dict(ordered))
