"""Ground-truth image data by name, and how frames of it are drawn to disk."""

from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np

from darla.common import DarlaError, InputError, rng_for, unknown_name, user_code_error
from darla.common.errors import is_fault_of_user
from darla.envs.frames.shards import Shard
from darla.envs.frames.units import REST, UnitPlan
from darla.envs.image_data.ground_truth import Factors, GroundTruthData, Images


def _sprites() -> GroundTruthData:
    from darla.envs.image_data.sprites import Sprites

    return Sprites()


def _rooms() -> GroundTruthData:
    from darla.envs.image_data.rooms import Rooms  # imported late: it loads the graphics libraries

    return Rooms()


IMAGE_DATA: Mapping[str, Callable[[], GroundTruthData]] = MappingProxyType({"sprites": _sprites, "rooms": _rooms})
"""Constructor of each data set by name."""


def image_data(name: str) -> GroundTruthData:
    """Return ground-truth image data by name.

    Raises:
        InputError: there are no such data.
    """
    if name not in IMAGE_DATA:
        raise unknown_name("image data", name, IMAGE_DATA)
    return IMAGE_DATA[name]()


class ImageDrawer:
    """Draws shards of ground-truth image data.

    Args:
        data: what is drawn.
        seed: master seed of the factors.
        in_order: render every combination in order instead of random ones.
        plan: which images are drawn together.
    """

    def __init__(self, data: GroundTruthData, seed: int, in_order: bool, plan: UnitPlan | None = None) -> None:
        self._data, self._seed, self._in_order, self._plan = data, seed, in_order, plan or UnitPlan()

    def __enter__(self) -> "ImageDrawer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close = getattr(self._data, "close", None)
        if close is not None:
            close()

    def draw(self, shard: int, first: int, size: int) -> Shard:
        """Draw the frames `first` to `first + size`; a unit depends on the seed and its number alone."""
        numbers = np.arange(first, first + size)
        known: list[int] = []
        if self._in_order:
            factors = self._data.factors_at(numbers)
        elif self._plan.kind == "image":
            factors = self._sampled(numbers.tolist())
        else:
            units = [self._unit(number) for number in (numbers[:: self._plan.size] // self._plan.size).tolist()]
            factors, known = np.concatenate([unit for unit, _ in units]), [varied for _, varied in units]
        table = np.empty(size, [(name, "<i8") for name in self._data.factor_names])
        for column, name in enumerate(self._data.factor_names):
            table[name] = factors[:, column]
        varied = np.array(known, np.int64) if self._plan.kind == "group" else None
        return Shard(self._render(factors), table, known=varied)

    def _render(self, factors: Factors) -> Images:
        """Render factor values, and check what comes: the data may be of another package.

        Raises:
            InputError: rendering failed, or gave something else than uint8 images of the stated shape.
        """
        try:
            images: Any = self._data.render(factors)
        except DarlaError:
            raise
        except Exception as error:
            if not is_fault_of_user(error, in_ours=type(self._data).__module__.split(".")[0] == "darla"):
                raise
            raise user_code_error(f"image data {self._data.name!r} failed at render", error) from error
        shape = (len(factors), *self._data.image_shape)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != shape:
            kind = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else f"a {type(images).__name__}"
            raise InputError(f"image data {self._data.name!r} rendered {kind}, but uint8 {shape} is needed")
        checked: Images = images
        return checked

    def _unit(self, number: int) -> tuple[Factors, int]:
        """Return the factor values of a pair or group, (k, K), and what varies: a number in the plan's parts."""
        names, sizes = self._data.factor_names, self._data.factor_sizes
        rng = rng_for(self._seed, self._plan.kind, number)
        if self._plan.kind == "pair":
            first = self._data.sample_factors(1, rng)
            second = first.copy()
            for column in self._plan.draw_changed(len(names), rng).tolist():
                # One of the other values: a factor that is drawn to change does.
                step = int(rng.integers(1, sizes[column])) if sizes[column] > 1 else 0
                second[:, column] = (first[:, column] + step) % sizes[column]
            return np.concatenate([first, second]), 0
        varied = self._plan.draw_part(rng)
        part = self._plan.parts[varied]
        group = self._data.sample_factors(self._plan.size, rng)
        constant = [name in self._plan.parts if part == REST else name != part for name in names]
        group[:, constant] = group[0, constant]
        return group, varied

    def _sampled(self, numbers: list[int]) -> Factors:
        drawn: Factors = np.concatenate(
            [self._data.sample_factors(1, rng_for(self._seed, "frame", number)) for number in numbers]
        )
        return drawn


def domain_of(data: GroundTruthData) -> dict[str, Any]:
    """Return image data as a set of frames records where it was drawn from."""
    return {"name": data.name, "factors": dict(zip(data.factor_names, data.factor_sizes, strict=True))}
