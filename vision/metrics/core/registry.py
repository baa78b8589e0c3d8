"""From a function of a prepared sample to a public metric: checks, presets, intervals, and its entry in `METRICS`.

    @metric("compactness", order=10)
    def mig(sample: Sample) -> Scores: ...

A metric has a module of its name in `darla/vision/metrics/scores`. Another package offers one by an entry point of its
name in the group `darla.metrics`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

from darla.common import InputError
from darla.common.checked_config import checked_arguments
from darla.common.registry import Registry
from darla.vision.metrics.core.arrays import check_dense
from darla.vision.metrics.core.intervals import Interval, bootstrap
from darla.vision.metrics.core.result import Array, Numbers, Result, Scores, plain
from darla.vision.metrics.core.sample import Sample

Kind = Literal["modularity", "compactness", "both", "informativeness", "other"]
"""What a score is about. Modularity: a latent holds one factor. Compactness: a factor is in one latent.
Informativeness: factors can be read from the codes. `both` is modularity and compactness together."""
Level = float | Callable[[Sample], float]


@dataclass(frozen=True)
class Requirements:
    """What a metric reads beside codes."""

    factors: bool = True
    rows: tuple[str, ...] = ()
    """Names of further arrays by row, which the metric finds in `Sample.rows`."""
    models: bool = False
    """Codes of several models on the same rows, (M, N, D), which the metric finds in `Sample.rows["models"]` as
    (N, M, D)."""


class Metric:
    """A metric as a function of arrays: `metric(codes, factors, *, seed, preset, interval, ...)`.

    Args:
        body: the metric as a function of a `Sample` and options of its own, all with defaults.
        kind: what it is about.
        chance: score of codes that know nothing of the factors: a number, a function of the sample, or "permuted" for
            the score of these codes with the factors dealt out to other rows.
        ceiling: best score that any codes could get, a number or a function of the sample.
        needs: what it reads beside codes.
        reduces: in the robust preset the metric gets to see only latents that move and factors that vary.
        better: whether high scores are good, or low ones.
        order: its position in tables; low numbers come first.
    """

    def __init__(
        self,
        body: Callable[..., Scores],
        kind: Kind,
        chance: Level | Literal["permuted"],
        ceiling: Level,
        needs: Requirements,
        reduces: bool,
        better: Literal["higher", "lower"],
        order: int,
    ) -> None:
        self.order = order
        self.body, self.kind, self.needs, self.reduces, self.better = body, kind, needs, reduces, better
        self._chance, self._ceiling = chance, ceiling
        self.name = body.__name__
        self.options = tuple(inspect.signature(body).parameters)[1:]
        self.__doc__, self.__module__, self.__qualname__ = body.__doc__, body.__module__, body.__qualname__

    @checked_arguments
    def __call__(
        self,
        codes: Any,
        factors: Any = None,
        *,
        seed: int = 0,
        preset: str = "robust",
        interval: Interval | int | None = None,
        test_codes: Any = None,
        test_factors: Any = None,
        continuous: Sequence[bool | None] | None = None,
        **options: Any,
    ) -> Result:
        """Score codes.

        Args:
            codes: (N, D), numpy or torch, on any device; computed where they are. (M, N, D) for a metric of several
                models.
            factors: (N, K); metrics that need none ignore them.
            seed: from 0 up; names the split of the rows and every other draw.
            preset: `"robust"`, or `"dlib"` for the numbers of disentanglement_lib, faults included.
            interval: ask for a bootstrap interval over rows; a number is its resamples.
            test_codes: (M, D), rows to score on where the metric fits something; a third of the rows if None.
            test_factors: (M, K).
            continuous: for each factor whether it is one; decided by how often its values repeat if None.
            options: the metric's own options and further arrays.

        Raises:
            InputError: the arrays mean nothing, an option is unknown, or the dlib preset has no finite value for them.
        """
        rows = {}
        for name in self.needs.rows:
            if name not in options:
                raise InputError(f"{self.name} needs {name}, one row for each row of codes")
            rows[name] = options.pop(name)
        if self.needs.models:
            codes, rows["models"] = by_row(codes)
        sample = Sample(
            codes,
            factors if self.needs.factors else None,
            seed=seed,
            preset=preset,
            test_codes=test_codes if self.needs.factors else None,
            test_factors=test_factors if self.needs.factors else None,
            continuous=continuous if self.needs.factors else None,
            rows=rows,
        )
        return self.of(sample, interval=interval, **options)

    def of(self, sample: Sample, *, interval: Interval | int | None = None, **options: Any) -> Result:
        """Score a prepared sample, whose shared work is done once for all metrics.

        Raises:
            InputError: as for arrays.
        """
        for name in options:
            if name not in self.options:
                known = ", ".join(self.options) or "none"
                raise InputError(f"{self.name} has no option {name!r}; its options are: {known}")
        if self.needs.factors and not sample.factor_count:
            raise InputError(f"{self.name} needs factors, and none were given")
        if missing := [name for name in self.reads if name not in sample.rows]:
            raise InputError(f"{self.name} needs {missing[0]}, and none were given")
        scores = self.scores(sample, **options)
        result = self._result(sample, scores, options)
        if interval is None:
            return result
        asked = interval if isinstance(interval, Interval) else Interval(interval)
        bounds = bootstrap(sample, {self.name: lambda drawn: float(self.scores(drawn, **options).score)}, asked)
        return replace_interval(result, bounds[self.name])

    @property
    def reads(self) -> tuple[str, ...]:
        """Names in `Sample.rows` that the metric needs."""
        return (*self.needs.rows, "models") if self.needs.models else self.needs.rows

    def scores(self, sample: Sample, **options: Any) -> Scores:
        """Call the metric's own function on what it gets to see of a sample."""
        return self.body(sample.reduced if self.reduces else sample, **options)

    def _result(self, sample: Sample, scores: Scores, options: Mapping[str, Any]) -> Result:
        seen = sample.reduced if self.reduces else sample
        latents, factors = seen.latents.numpy(), seen.measured.numpy()
        d, k = sample.latent_count, sample.factor_count

        def spread(part: Numbers, length: int, places: Array) -> Array:
            whole = np.zeros(length)
            whole[places] = plain(part)
            return whole

        matrix = None
        if scores.matrix is not None:
            matrix = np.zeros((d, k))
            matrix[np.ix_(latents, factors)] = plain(scores.matrix)
        per_factor = {name: spread(part, k, factors) for name, part in scores.per_factor.items()}
        per_latent = {name: spread(part, d, latents) for name, part in scores.per_latent.items()}
        if k and self.needs.factors:
            per_factor["measured"] = spread([1.0] * len(factors), k, factors)
            per_factor["continuous"] = spread([float(kind) for kind in seen.continuous], k, factors)
        per_latent["active"] = sample.active.cpu().numpy().astype(np.float64)
        values = {self.name: float(scores.score), **{name: float(value) for name, value in scores.values.items()}}
        if sample.preset == "dlib" and np.isfinite(float(scores.score)):
            # What has no finite value there is left out, and does not cost the rest.
            values = {name: value for name, value in values.items() if np.isfinite(value)}
            per_factor, per_latent = (
                {name: part for name, part in parts.items() if np.isfinite(part).all()}
                for parts in (per_factor, per_latent)
            )
            matrix = None if matrix is None or not np.isfinite(matrix).all() else matrix
        result = Result(
            name=self.name,
            score=float(scores.score),
            values=values,
            per_factor=per_factor,
            per_latent=per_latent,
            matrix=matrix,
            n=len(sample),
            seed=sample.seed,
            preset=sample.preset,
            chance=self._level(self._chance, scores.chance, sample, options),
            ceiling=self._level(self._ceiling, scores.ceiling, sample, options),
        )
        self._check(result)
        return result

    def _level(self, level: Any, stated: float | None, sample: Sample, options: Mapping[str, Any]) -> float:
        if stated is not None:
            return float(stated)
        if level == "permuted":
            score = float(self.scores(sample.permuted, **options).score)
            # Without any information a ratio of the dlib preset may be 0/0; every metric counts nothing as 0.
            return score if np.isfinite(score) else 0.0
        return float(level(sample.reduced if self.reduces else sample) if callable(level) else level)

    def _check(self, result: Result) -> None:
        numbers = [result.score, result.chance, result.ceiling, *result.values.values()]
        arrays = [*result.per_factor.values(), *result.per_latent.values()]
        arrays += [] if result.matrix is None else [result.matrix]
        if np.isfinite(numbers).all() and all(np.isfinite(part).all() for part in arrays):
            return
        if result.preset == "dlib":
            raise InputError(
                f"{self.name} is not a finite number on these codes and factors in the dlib preset; "
                "the robust preset defines it"
            )
        raise ArithmeticError(f"{self.name} came out as {result}")

    def __repr__(self) -> str:
        return f"<metric {self.name}>"


class _Metrics(Registry[Metric]):
    """Metrics in the order in which they are shown; those of other packages that have not been imported come last."""

    def __iter__(self) -> Iterator[str]:
        names = list(super().__iter__())
        return iter(sorted(names, key=lambda name: self._things[name].order if name in self._things else LAST))


LAST = 1_000_000
"""Order of metrics that state none."""
METRICS = _Metrics("metric", "darla.vision.metrics.scores", "darla.metrics")
"""Every metric by name. The first look-up imports darla's own; those of other packages are imported when looked up."""
_FACTORS = Requirements()


def metric(
    kind: Kind,
    *,
    chance: Level | Literal["permuted"] = 0.0,
    ceiling: Level = 1.0,
    needs: Requirements = _FACTORS,
    reduces: bool = True,
    better: Literal["higher", "lower"] = "higher",
    order: int = LAST,
) -> Callable[[Callable[..., Scores]], Metric]:
    """Make a function of a `Sample` a public metric, and register it under its name. `Metric` says what each means."""

    def register(body: Callable[..., Scores]) -> Metric:
        built = Metric(body, kind, chance, ceiling, needs, reduces, better, order)
        return METRICS.register(built.name)(built)

    return register


def replace_interval(result: Result, interval: tuple[float, float]) -> Result:
    """Return the result with an interval."""
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    return Result(**{**fields, "interval": interval})


def by_row(models: Any) -> tuple[Any, Any]:
    """Return the first of several models' codes, (N, D), and all of them by row, (N, M, D).

    Raises:
        InputError: they are not at least two arrays of one shape (N, D).
    """
    for each in (models,) if isinstance(models, Tensor) else models if isinstance(models, list | tuple) else ():
        check_dense(each, "codes")
    if isinstance(models, Tensor):
        stacked: Any = models
    else:
        try:
            each = [m.detach().cpu().numpy() if isinstance(m, Tensor) else np.asarray(m) for m in models]
            stacked = np.stack(each)
        except (TypeError, ValueError) as error:
            raise InputError("codes of several models must be arrays of one shape (N, D)") from error
    if stacked.ndim != 3 or len(stacked) < 2:
        raise InputError(f"codes must be those of at least two models, (M, N, D), not of shape {tuple(stacked.shape)}")
    return stacked[0], stacked.swapaxes(0, 1)
