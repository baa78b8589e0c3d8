"""What a metric returns: the score, everything it was made of, and what it has to be compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common.checked_config import check_field_types

Array = np.ndarray[Any, Any]
Numbers = Tensor | Array | list[float]


@dataclass(frozen=True)
class Scores:
    """What a metric works out from a sample, before the registry adds the rest.

    `per_factor` arrays are (K,), `per_latent` arrays are (D,), `matrix` is (D, K), of the sample that the metric saw.
    `chance` and `ceiling` replace the registered ones where the metric knows them better than a constant does.
    """

    score: float | Tensor
    values: Mapping[str, float | Tensor] = field(default_factory=dict)
    per_factor: Mapping[str, Numbers] = field(default_factory=dict)
    per_latent: Mapping[str, Numbers] = field(default_factory=dict)
    matrix: Numbers | None = None
    chance: float | None = None
    ceiling: float | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """A metric's score and its parts: plain numbers and numpy arrays, all finite."""

    name: str
    score: float
    """The headline."""
    values: dict[str, float]
    """Every named figure. In the dlib preset those without a finite value are left out."""
    per_factor: dict[str, Array]
    """Name to float array (K,). `measured` is 0 for a factor that was left out, and so is its every other part.
    `continuous` is 1 for a factor whose values were taken for points on a line, 0 for one of classes."""
    per_latent: dict[str, Array]
    """Name to float array (D,). `active` is 0 for a latent that was left out, and so is its every other part."""
    matrix: Array | None
    """Relation of latents to factors, float (D, K), where the metric is made from one."""
    n: int
    """Rows of `codes`."""
    seed: int
    preset: str
    chance: float
    """What codes that know nothing of the factors score."""
    ceiling: float
    """What the best possible codes score."""
    interval: tuple[float, float] | None = None
    """Bootstrap interval of the score over rows, where one was asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as what JSON can hold: numbers, strings, lists, dictionaries, None."""
        return {
            "name": self.name,
            "score": self.score,
            "values": dict(self.values),
            "per_factor": {name: part.tolist() for name, part in self.per_factor.items()},
            "per_latent": {name: part.tolist() for name, part in self.per_latent.items()},
            "matrix": None if self.matrix is None else self.matrix.tolist(),
            "n": self.n,
            "seed": self.seed,
            "preset": self.preset,
            "chance": self.chance,
            "ceiling": self.ceiling,
            "interval": None if self.interval is None else list(self.interval),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Result":
        """Undo `to_dict`.

        Raises:
            InputError: a part is of another type; names it.
            KeyError, TypeError, ValueError: a part is missing or unknown, or numbers are not numbers.
        """
        fields = dict(stored)
        for name in ("per_factor", "per_latent"):
            fields[name] = {key: np.asarray(part, dtype=np.float64) for key, part in fields[name].items()}
        if fields["matrix"] is not None:
            fields["matrix"] = np.asarray(fields["matrix"], dtype=np.float64)
        if fields["interval"] is not None:
            low, high = fields["interval"]
            fields["interval"] = (low, high)
        result = cls(**fields)
        check_field_types(result)
        return result


def plain(numbers: Numbers) -> Array:
    """Return numbers as a float64 numpy array of their own."""
    if isinstance(numbers, Tensor):
        return numbers.detach().to("cpu", torch.float64).numpy().copy()
    return np.array(numbers, dtype=np.float64)
