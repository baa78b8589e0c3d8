"""Downstream accuracy (Locatello et al. 2019, "Challenging Common Assumptions"), with few labels and under a shift.

With a linear classifier of each factor:

    efficiency = accuracy with 100 labels / accuracy with 10,000 labels
    shift_gap  = 1 - accuracy where one factor has shifted / accuracy where none has
"""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.arrays import wide
from darla.vision.metrics.core.logistic import fit_logistic
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample, SampleSplit
from darla.vision.metrics.core.thresholds import ERRORS, balanced_accuracy
from darla.vision.metrics.scores.explicitness import refuse_continuous

FEWEST = 10
"""Rows that must share a value for a classifier to be fitted on them alone."""


def _chance(sample: Sample) -> float:
    return 0.0 if sample.preset == "robust" else float(np.mean([1 / size for size in sample.sizes]))


@metric("informativeness", order=240, chance=_chance)
def downstream_accuracy(sample: Sample, sizes: Sequence[int] = (10, 100, 1000, 10_000), shifts: int = 3) -> Scores:
    """Score how well a linear classifier reads factors from few labeled rows, and where one factor has shifted.

    Few labels: it is fitted on the first n rows of a random order, for each n that there are enough rows for (on all
    of them where there are fewer than the smallest n), and scored on rows that were not fitted. The score is the mean
    over factors with the largest n. Shift: it is fitted on rows in which one factor has a single value and scored, on
    the other factors, on rows in which that factor has another value; beside it a classifier that was fitted on as
    many rows of all kinds is scored on the same rows, so that the gap is due to the shift and not to their number.

    Source: Locatello et al. 2019, section 5.5 (few labels; efficiency is accuracy at 100 over that at 10,000 labels);
    Locatello et al. 2020, "A Sober Look", `strong_downstream_task` of disentanglement_lib (shift).
    Range: 0 to 1. Chance: 0 in the robust preset, the mean of 1 / n_k in the other.
    Cost: a convex fit for each factor and n, and two for each pair of factors and shift.
    Presets: robust fits a logistic regression that starts from the linear discriminant; accuracy is balanced over the
    values that occur and rescaled, so that guessing has 0, and so has what is not three standard errors above it. dlib
    fits its LogisticRegressionCV (10 penalties, 5 folds in the order of the rows) and scores plain accuracy; which
    factor is fixed at which value is drawn for each shift, where disentanglement_lib draws from a global generator.
    Rows of a single value are answered with it. A continuous factor counts by twenty classes of equal counts, and is
    refused in the dlib preset.
    Failure modes: many values and few rows score low whatever the codes. A perfect code has no gap under shift; one
    whose fixed factor moves other factors' latents has. Correlated factors shift together.

    Options: `sizes`, numbers of labeled rows; `shifts`, values at which each factor is fixed.
    Values: `downstream_accuracy`, `accuracy_N` for each n, `efficiency` (at the n nearest 100 over that at the
    largest), and, where some factor can be fixed, `shifted`, `unshifted`, `shift_gap` (1 - shifted / unshifted). Per
    factor: `accuracy` with the largest n, `shifted`, `unshifted` (0 where not measured).
    """
    wanted = _checked(sizes, shifts)
    if sample.preset == "dlib":
        refuse_continuous(sample, "downstream_accuracy")
    train, test = sample.train, sample.test
    order = torch.from_numpy(sample.rng("downstream", "rows").permutation(len(train))).to(sample.device)
    enough = [size for size in wanted if size <= len(train)] or [len(train)]
    curve = torch.zeros(len(enough), sample.factor_count, dtype=torch.float64)
    for row, size in enumerate(enough):
        fitted = train.take(order[:size])
        for k in range(sample.factor_count):
            curve[row, k] = _read(sample, fitted, test, k)
    means = curve.mean(dim=1)
    values = {f"accuracy_{size}": float(mean) for size, mean in zip(enough, means, strict=True)}
    near = int(np.argmin([abs(np.log(size / 100)) for size in enough]))
    values["efficiency"] = float(means[near] / means[-1]) if means[-1] > 0 else 0.0
    shifted, unshifted, measured = _shifts(sample, shifts)
    if measured.any():
        pair = float(shifted[measured].mean()), float(unshifted[measured].mean())
        values["shifted"], values["unshifted"] = pair
        values["shift_gap"] = 1 - pair[0] / pair[1] if pair[1] > 0 else 0.0
    return Scores(
        score=means[-1],
        values=values,
        per_factor={"accuracy": curve[-1], "shifted": shifted, "unshifted": unshifted},
    )


def _checked(sizes: Sequence[int], shifts: int) -> list[int]:
    whole = [not isinstance(n, bool) and n == int(n) for n in (*sizes, shifts)]
    if not all(whole) or not len(sizes) or min(sizes) < 1 or shifts < 0:
        raise InputError(f"sizes must be whole numbers from 1 up and shifts one from 0 up, not {sizes!r}, {shifts!r}")
    return sorted({int(n) for n in sizes})


def _shifts(sample: Sample, shifts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return accuracies by target factor with and without a shift, (K,), and which were measured, bool (K,)."""
    train, test = sample.train, sample.test
    totals = torch.zeros(2, sample.factor_count, dtype=torch.float64)
    counts = torch.zeros(sample.factor_count, dtype=torch.float64)
    rng = sample.rng("downstream", "shift")
    for fixed in range(sample.factor_count):
        frequent = torch.bincount(train.labels[:, fixed], minlength=sample.sizes[fixed])
        usable = np.flatnonzero((frequent >= FEWEST).cpu().numpy())
        for value in rng.permutation(usable)[:shifts]:
            inside = torch.nonzero(train.labels[:, fixed] == int(value))[:, 0]
            outside = torch.nonzero(test.labels[:, fixed] != int(value))[:, 0]
            if len(outside) == 0 or len(inside) == len(train):
                continue
            alike = torch.from_numpy(rng.permutation(len(train))[: len(inside)]).to(sample.device)
            scored = test.take(outside)
            for k in range(sample.factor_count):
                if k != fixed:
                    counts[k] += 1
                    for row, rows in enumerate((inside, alike)):
                        totals[row, k] += _read(sample, train.take(rows), scored, k)
    means = totals / counts.clamp(min=1)
    return means[0], means[1], counts > 0


def _read(sample: Sample, fitted: SampleSplit, scored: SampleSplit, k: int) -> float:
    """Fit a classifier of factor k and return its accuracy by the preset's measure."""
    labels, truth, classes = fitted.labels[:, k], scored.labels[:, k], sample.sizes[k]
    if bool((labels == labels[0]).all()):
        answers = labels[:1].expand(len(truth))
    elif sample.preset == "dlib":
        answers = _by_scikit_learn(fitted.codes, labels, scored.codes)
    else:
        answers = fit_logistic(fitted.codes, labels, classes).predict(scored.codes)
    right = (answers == truth).to(wide(truth.device))
    if sample.preset == "dlib":
        return float(right.mean())
    accuracy, error = balanced_accuracy(answers[None], truth, classes)
    ahead = float(accuracy[0]) - 1 / classes
    return ahead / (1 - 1 / classes) if ahead > ERRORS * float(error) else 0.0


def _by_scikit_learn(codes: Tensor, labels: Tensor, others: Tensor) -> Tensor:
    model = LogisticRegressionCV(Cs=10, cv=KFold(n_splits=min(5, len(codes))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence, and folds without some class: disentanglement_lib does not look
        try:
            answers = model.fit(codes.cpu().numpy(), labels.cpu().numpy()).predict(others.cpu().numpy())
        except ValueError:
            # A fold of a single class, which the cross-validation refuses: answer the most frequent value.
            return torch.bincount(labels).argmax().expand(len(others))
    return torch.from_numpy(answers).to(others.device)
