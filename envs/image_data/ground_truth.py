"""Ground-truth image data: images that are a function of a few factors, each with a fixed number of values.

Disentanglement metrics are computed on them. Every combination of factor values is one image, so the data are a
grid; image i is the i-th combination in row-major order, the last factor running fastest.
"""

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from darla.common import InputError

Factors = npt.NDArray[np.int64]
"""(N, K): for each image which value, counted from 0, each of the K factors has."""
Images = npt.NDArray[np.uint8]
"""(N, height, width, channels)."""


class GroundTruthData(Protocol):
    """Images of every combination of factor values.

    Subclasses name their factors and implement `render`; any object with the same attributes and methods will do.
    """

    name: str
    """What the command line and artefacts call the data."""
    factor_names: tuple[str, ...]
    """The K factors, in the order of the columns."""
    factor_sizes: tuple[int, ...]
    """How many values each factor has."""
    image_shape: tuple[int, int, int]
    """Height, width, channels."""

    def render(self, factors: Factors) -> Images:
        """Return the images of given factor values, uint8 (N, height, width, channels).

        Raises:
            InputError: `factors` is not an integer array (N, K), or a value is outside its factor.
        """
        ...

    def __len__(self) -> int:
        """Return the number of combinations."""
        return math.prod(self.factor_sizes)

    def sample_factors(self, count: int, rng: np.random.Generator) -> Factors:
        """Draw factor values, each uniformly and independently of the others: int64 (count, K)."""
        return rng.integers(0, self.factor_sizes, size=(count, len(self.factor_sizes)), dtype=np.int64)

    def factors_at(self, rows: npt.NDArray[np.integer[Any]]) -> Factors:
        """Return the factor values of the combinations `rows`, counted from 0: int64 (N, K).

        Raises:
            InputError: a row is not in [0, len(self)).
        """
        rows = np.asarray(rows)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(f"rows must lie in [0, {len(self)}), but run from {rows.min()} to {rows.max()}")
        return np.stack(np.unravel_index(rows, self.factor_sizes), axis=-1).astype(np.int64)

    def rows_of(self, factors: Factors) -> npt.NDArray[np.int64]:
        """Return which combination each row of `factors`, (N, K), is: int64 (N,); the inverse of `factors_at`."""
        checked = checked_factors(factors, self)
        rows: npt.NDArray[np.int64] = np.ravel_multi_index(tuple(checked.T), self.factor_sizes).astype(np.int64)
        return rows


def checked_factors(factors: npt.NDArray[Any], data: GroundTruthData) -> Factors:
    """Return factor values as int64 (N, K).

    Raises:
        InputError: not an integer array of that shape, or a value outside its factor; the message names the factor.
    """
    values = np.asarray(factors)
    names, sizes = data.factor_names, np.array(data.factor_sizes)
    if values.ndim != 2 or values.shape[1] != len(names) or not np.issubdtype(values.dtype, np.integer):
        raise InputError(
            f"factors of {data.name} are {values.dtype} {values.shape}, but must be integers (N, {len(names)}): "
            + ", ".join(names)
        )
    wrong = (values < 0) | (values >= sizes)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"factor {names[column]!r} of {data.name} is {values[row, column]}, but has the values 0 to "
            f"{sizes[column] - 1}"
        )
    return values.astype(np.int64)
