"""The checked input that all metrics share: codes, factors as classes and as values, a split, and work done once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError, rng_for
from darla.vision.metrics.core.arrays import is_whole, numbers, same_rows, wide
from darla.vision.metrics.core.information import Information, bins_of_equal_counts, histogram_bins, measure
from darla.vision.metrics.names import check_preset

ACTIVE = 0.005
"""Standard deviation, in units of the largest one, that a latent must exceed to count in the robust preset."""
BINS = 20
"""Bins of disentanglement_lib's histograms; the fewest that the robust preset gives a latent or a continuous factor."""
REPEATS = 5
"""How often a factor's values must come on average for them to be classes."""
MOST_CLASSES = 256
"""Different numbers above which a factor is continuous however often they come: a latent has no more bins."""
HELD_OUT = 1 / 3
"""Share of rows that are scored and not fitted: the 5,000 beside 10,000 of disentanglement_lib."""


@dataclass(frozen=True, eq=False)
class SampleSplit:
    """Rows to fit on, or rows to score on."""

    codes: Tensor
    """float (n, D)"""
    labels: Tensor
    """int64 (n, K), classes numbered alike in all parts"""
    values: Tensor
    """float (n, K)"""

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Tensor) -> "SampleSplit":
        """Return the rows `rows`."""
        return SampleSplit(self.codes[rows], self.labels[rows], self.values[rows])


class Sample:
    """Codes and factors as metrics read them, on the device that the codes came on.

    Metrics read `codes` (N, D), `labels` and `values` (N, K), `sizes` (K classes), `continuous` (K), and `train` and
    `test` where they fit something. `bins` and `information` are worked out once and kept.

    Args:
        codes: (N, D), numbers of any kind, numpy or torch.
        factors: (N, K), integers or floats; None for metrics that need none.
        seed: names the split into rows to fit and rows to score, and whatever a metric draws.
        preset: `"robust"` or `"dlib"`.
        test_codes: (M, D), rows to score on; a third of `codes`, drawn by the seed, where None.
        test_factors: (M, K), their factors.
        continuous: for each factor whether its values are points on a line (True), classes (False), or as they look
            (None, for all of them too): continuous if they come fewer than five times each on average, or if there are
            more than 256 different ones, be they whole numbers or not. In the dlib preset whole numbers are classes,
            as they are for disentanglement_lib.
        rows: further numbers by row, each (N, ...), such as a posterior's log-variances.

    Raises:
        InputError: the numbers are not finite, are not numbers, are too large, or their shapes do not fit.
    """

    def __init__(
        self,
        codes: Any,
        factors: Any = None,
        *,
        seed: int = 0,
        preset: str = "robust",
        test_codes: Any = None,
        test_factors: Any = None,
        continuous: Sequence[bool | None] | None = None,
        rows: Mapping[str, Any] | None = None,
    ) -> None:
        check_preset(preset)
        if not is_whole(seed) or seed < 0:
            raise InputError(f"seed must be a whole number from 0 up, not {seed!r}")
        if factors is None and test_factors is not None:
            raise InputError("test_factors were given without factors")
        if (test_codes is None) != (test_factors is None) and factors is not None:
            raise InputError("test_codes and test_factors must be given together")
        self.seed, self.preset = int(seed), preset
        given = numbers(codes, "codes", 2)
        self.device = given.device
        self.dtype = given.dtype if given.dtype in (torch.float32, torch.float64) else wide(given.device)
        """What `codes` came as; disentanglement_lib's histograms round to it."""
        self.codes = given.to(wide(given.device))
        truth = torch.empty((len(given), 0)) if factors is None else numbers(factors, "factors", 2)
        if factors is not None and truth.shape[1] == 0:
            raise InputError("factors must have at least one column")
        if len(given) < 2:
            raise InputError(f"codes must have at least 2 rows, not {len(given)}")
        if given.shape[1] == 0:
            raise InputError("codes must have at least one column")
        same_rows(truth, "factors", len(given))
        self._test_codes, tested = None, None
        if test_codes is not None:
            other = numbers(test_codes, "test_codes", 2).to(self.codes)
            if other.shape[1] != given.shape[1] or not len(other):
                raise InputError(f"test_codes must be of shape (M, {given.shape[1]}), not {tuple(other.shape)}")
            self._test_codes = other
            tested = torch.empty((len(other), 0)) if factors is None else numbers(test_factors, "test_factors", 2)
            if tested.shape[1] != truth.shape[1]:
                raise InputError(f"test_factors must be of shape (M, {truth.shape[1]}), not {tuple(tested.shape)}")
            same_rows(tested, "test_factors", len(other))
        kinds: list[Any] = [None] * truth.shape[1] if continuous is None else list(continuous)
        if len(kinds) != truth.shape[1]:
            raise InputError(f"continuous must say something of {truth.shape[1]} factors, not of {len(kinds)}")
        if wrong := [kind for kind in kinds if not isinstance(kind, bool | np.bool_ | None)]:
            raise InputError(f"continuous must be True, False or None for each factor, not {wrong[0]!r}")
        self._read_factors(truth, tested, kinds)
        self.rows: dict[str, Tensor] = {}
        for name, column in (rows or {}).items():
            self.rows[name] = numbers(column, name, None).to(self.codes)
            same_rows(self.rows[name], name, len(given))
        self.latents = torch.arange(self.codes.shape[1])
        """Columns of the given codes that this sample holds."""
        self.measured = torch.arange(truth.shape[1])
        """Columns of the given factors that this sample holds."""

    def _read_factors(self, truth: Tensor, tested: Tensor | None, asked: Sequence[bool | None]) -> None:
        both = truth if tested is None else torch.cat([truth, tested.to(truth)])
        labels, sizes, kinds = [], [], []
        for k in range(both.shape[1]):
            distinct, classes = torch.unique(both[:, k], return_inverse=True)
            kind = self._looks_continuous(both[:, k], len(distinct)) if asked[k] is None else bool(asked[k])
            if kind and self.preset == "robust" and len(distinct) > BINS:
                classes = bins_of_equal_counts(both[:, k : k + 1].to(wide(both.device)), BINS)[:, 0]
            labels.append(classes)
            sizes.append(int(classes.max()) + 1)
            kinds.append(kind)
        count = len(truth)
        marks = torch.stack(labels, dim=1) if labels else torch.empty((len(both), 0), dtype=torch.int64)
        values = both.to(wide(both.device))
        self.labels, self.values = marks[:count].to(self.device), values[:count].to(self.codes)
        self._test_labels, self._test_values = marks[count:].to(self.device), values[count:].to(self.codes)
        self.sizes, self.continuous = tuple(sizes), tuple(kinds)

    def _looks_continuous(self, values: Tensor, distinct: int) -> bool:
        if self.preset == "dlib":
            whole = not values.is_floating_point() or bool((values == values.round()).all())
            return not whole and REPEATS * distinct > len(values)
        return REPEATS * distinct > len(values) or distinct > MOST_CLASSES

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def factor_count(self) -> int:
        """K."""
        return self.labels.shape[1]

    @property
    def latent_count(self) -> int:
        """D."""
        return self.codes.shape[1]

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a generator of its own for `names`, below the seed of the call."""
        return rng_for(self.seed, "metrics", *names)

    @cached_property
    def deviations(self) -> Tensor:
        """Standard deviations of the latents, (D,), without overflow or underflow, relative to the largest one."""
        size = self.codes.abs().amax()
        scaled = self.codes / size if size > 0 else self.codes
        centered = scaled - scaled[:1]
        largest = centered.abs().amax()
        centered = centered / largest if largest > 0 else centered
        deviations = (centered - centered.mean(dim=0)).square().mean(dim=0).sqrt()
        # A column of one value is constant, whatever rounding makes of its mean.
        deviations = torch.where(centered.abs().amax(dim=0) > 0, deviations, 0.0)
        return deviations / deviations.max() if deviations.max() > 0 else deviations

    @cached_property
    def active(self) -> Tensor:
        """Which latents count, bool (D,): all in the dlib preset, those that move in the robust one."""
        if self.preset == "dlib":
            return torch.ones(self.latent_count, dtype=torch.bool, device=self.device)
        return self.deviations > ACTIVE

    @cached_property
    def standardized(self) -> Tensor:
        """Codes with mean 0 and standard deviation 1, (N, D); zeros for a constant latent."""
        low, high = self.codes.amin(dim=0), self.codes.amax(dim=0)
        span = high - low
        unit = torch.where(span > 0, (self.codes - low) / torch.where(span > 0, span, 1.0), 0.0)
        unit = unit - unit.mean(dim=0)
        deviation = unit.square().mean(dim=0).sqrt()
        return torch.where(span > 0, unit / torch.where(span > 0, deviation, 1.0), 0.0)

    @cached_property
    def parts(self) -> tuple[SampleSplit, SampleSplit]:
        """Rows to fit on and rows to score on: those given, or two thirds and one third drawn by the seed."""
        whole = SampleSplit(self.codes, self.labels, self.values)
        if self._test_codes is not None:
            return whole, SampleSplit(self._test_codes, self._test_labels, self._test_values)
        order = self.rng("split").permutation(len(self))
        tested = max(1, round(HELD_OUT * len(self)))
        rows = torch.from_numpy(order).to(self.device)
        return whole.take(rows[tested:]), whole.take(rows[:tested])

    @property
    def train(self) -> SampleSplit:
        """Rows to fit on."""
        return self.parts[0]

    @property
    def test(self) -> SampleSplit:
        """Rows to score on."""
        return self.parts[1]

    @cached_property
    def bins(self) -> Tensor:
        """Codes as classes, int64 (N, D).

        dlib: 20 bins of equal width over each latent's range. robust: the values themselves where there are few, else
        bins of equal counts, so that a monotone map changes nothing, and more of them than any factor has values.
        """
        if self.preset == "dlib":
            return histogram_bins(self.codes.to(self.dtype), BINS)
        return bins_of_equal_counts(self.codes, max(BINS, 2 * max(self.sizes, default=1), min(len(self) // 50, 256)))

    @cached_property
    def information(self) -> Information:
        """Entropies and mutual information of latents and factors by the preset's estimator."""
        corrected = self.rng("mutual information") if self.preset == "robust" else None
        return measure(self.bins, self.labels, corrected)

    @cached_property
    def reduced(self) -> "Sample":
        """What a metric gets to see in the robust preset: latents that move and factors that vary, only.

        Codes of which none moves keep one latent, so that a metric scores them and does not have to ask.

        Raises:
            InputError: no factor varies.
        """
        if self.preset == "dlib":
            return self
        latents = torch.nonzero(self.active)[:, 0].cpu()
        latents = latents if len(latents) else torch.zeros(1, dtype=torch.int64)
        factors = torch.nonzero((self.labels != self.labels[:1]).any(dim=0))[:, 0].cpu()
        if self.factor_count and not len(factors):
            raise InputError("factors must vary: every one of them has a single value in all rows")
        if len(latents) == self.latent_count and len(factors) == self.factor_count:
            return self
        return self._derive(latents=latents, factors=factors)

    def resampled(self, rng: np.random.Generator) -> "Sample":
        """Draw as many rows again with replacement; rows to fit and rows to score each from their own kind."""
        train, test = (part.take(self._draw(rng, len(part))) for part in self.parts)
        return self._derive(rows=self._draw(rng, len(self)), parts=(train, test))

    def _draw(self, rng: np.random.Generator, count: int) -> Tensor:
        return torch.from_numpy(rng.integers(0, count, count)).to(self.device)

    @cached_property
    def permuted(self) -> "Sample":
        """The sample with its factors dealt out to other rows: codes that know nothing of them."""
        rng = self.rng("chance")
        shuffled = self._derive()
        shuffled.__dict__.pop("parts", None)
        order = torch.from_numpy(rng.permutation(len(self))).to(self.device)
        shuffled.labels, shuffled.values = self.labels[order], self.values[order]
        if self._test_codes is not None:
            order = torch.from_numpy(rng.permutation(len(self._test_codes))).to(self.device)
            shuffled._test_labels, shuffled._test_values = self._test_labels[order], self._test_values[order]
        return shuffled

    def _derive(
        self,
        *,
        latents: Tensor | None = None,
        factors: Tensor | None = None,
        rows: Tensor | None = None,
        parts: tuple[SampleSplit, SampleSplit] | None = None,
    ) -> "Sample":
        other = object.__new__(Sample)
        other.seed, other.preset, other.device, other.dtype = self.seed, self.preset, self.device, self.dtype
        j = torch.arange(self.latent_count) if latents is None else latents
        k = torch.arange(self.factor_count) if factors is None else factors
        whole, extra = SampleSplit(self.codes, self.labels, self.values), self.rows
        if rows is not None:
            whole = whole.take(rows)
            extra = {name: numbers[rows] for name, numbers in self.rows.items()}
        on = j.to(self.device), k.to(self.device)
        other.codes, other.labels, other.values = whole.codes[:, on[0]], whole.labels[:, on[1]], whole.values[:, on[1]]
        other.rows = dict(extra)
        other.latents, other.measured = self.latents[j], self.measured[k]
        other.sizes = tuple(self.sizes[i] for i in k.tolist())
        other.continuous = tuple(self.continuous[i] for i in k.tolist())
        other._test_codes, other._test_labels, other._test_values = None, self._test_labels, self._test_values
        if self._test_codes is not None:
            tested = SampleSplit(self._test_codes, self._test_labels, self._test_values) if parts is None else parts[1]
            other._test_codes = tested.codes[:, on[0]]
            other._test_labels, other._test_values = tested.labels[:, on[1]], tested.values[:, on[1]]
        elif (split := parts or self.__dict__.get("parts")) is not None:
            # A split that was drawn, or whose rows were drawn again, stays what it is.
            train, test = (
                SampleSplit(part.codes[:, on[0]], part.labels[:, on[1]], part.values[:, on[1]]) for part in split
            )
            other.parts = train, test
        return other
