"""R^2 of factors predicted from codes (the standard of identifiability; for blocks: von Kügelgen et al. 2021).

With SSE and SST the squared error and the total sum of squares of factor k:

    R2_k = 1 - SSE_k / SST_k on rows that were not fitted
"""

import torch
from torch import Tensor

from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample

CENTERS = 512
"""Rows that the kernel regression is spanned by."""
WIDTHS = (0.15, 0.4, 1.0)
"""Kernel widths that are tried, in units of the median distance between rows."""
PENALTIES = (1e-6, 1e-3)
"""Penalties that are tried, in units of the number of rows."""


@metric("informativeness", order=160)
def r2(sample: Sample) -> Scores:
    """Measure how much of a factor's variance a line, and a curve, through the codes explains on rows not fitted.

    R2_k = 1 - SSE_k / SST_k on held-out rows; the score is the mean over factors of the linear one. `nonlinear` is by
    kernel regression with a Gaussian kernel on 512 rows, its width and penalty chosen on a fifth of the fitted rows.

    Source: the standard of the literature on identifiability (for blocks: von Kügelgen et al. 2021); kernel regression
    on a subset of rows: Williams and Seeger 2001.
    Range: up to 1. Chance: 0. Cost: N 512^2, three times.
    Presets: dlib (which has no such score) is what least squares gives, below 0 where it is worse than the mean; robust
    counts such factors as 0.
    Failure modes: needs factors whose order means something: classes in a random order have a low linear R2
    however well they are held. Says nothing of disentanglement: any rotation scores the same.

    Values: `r2` and `linear` (the same), `nonlinear`. Per factor: `linear`, `nonlinear`.
    """
    train, test = sample.parts
    low, span = train.codes.amin(dim=0), train.codes.amax(dim=0) - train.codes.amin(dim=0)
    inputs, asked = ((ratio(part.codes - low, span.expand_as(part.codes)) - 0.5) for part in (train, test))
    deviation = inputs.std(dim=0, correction=0)
    inputs, asked = (torch.where(span > 0, ratio(z, deviation.expand_as(z)), 0.0).clamp(-1e3, 1e3)
                     for z in (inputs, asked))  # fmt: skip
    center, size = train.values.mean(dim=0), (train.values - train.values.mean(dim=0)).abs().amax(dim=0)
    targets, truth = (ratio(part.values - center, size.expand_as(part.values)) for part in (train, test))
    linear = _explained(_regress(_with_one(inputs), targets, _with_one(asked), 1e-10), truth)
    curved = _explained(_kernel(sample, inputs, targets, asked), truth)
    if sample.preset == "robust":
        linear, curved = linear.clamp(min=0), curved.clamp(min=0)
    return Scores(
        score=linear.mean(),
        values={"linear": linear.mean(), "nonlinear": curved.mean()},
        per_factor={"linear": linear, "nonlinear": curved},
    )


def _with_one(inputs: Tensor) -> Tensor:
    return torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)


def _regress(inputs: Tensor, targets: Tensor, asked: Tensor, penalty: float) -> Tensor:
    """Fit ridge regression and return its answers for `asked`."""
    product = inputs.T @ inputs / len(inputs)
    product = product + penalty * torch.eye(len(product), dtype=product.dtype, device=product.device)
    answers: Tensor = asked @ torch.linalg.solve(product, inputs.T @ targets / len(inputs))
    return answers


def _explained(answers: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - SSE / SST of each column; of a factor with one value in these rows, whether it is met."""
    missed = (truth - answers).square().sum(dim=0)
    total = (truth - truth.mean(dim=0)).square().sum(dim=0)
    constant = (truth == truth[:1]).all(dim=0)
    met = (missed <= 1e-6 * len(truth)).to(missed.dtype)
    return torch.where(constant, met, 1 - ratio(missed, total))


def _kernel(sample: Sample, inputs: Tensor, targets: Tensor, asked: Tensor) -> Tensor:
    """Fit kernel regression, its width and penalty by validation, and return its answers for `asked`."""
    rng = sample.rng("r2")
    order = torch.from_numpy(rng.permutation(len(inputs))).to(inputs.device)
    held = order[: max(1, len(order) // 5)]
    fitted = order[len(held) :] if len(order) > 1 else order
    centers = inputs[fitted[:CENTERS]]
    apart = torch.cdist(centers, centers)
    far = apart[apart > 0]
    middle = float(far.median()) if far.numel() else 1.0
    best, chosen = None, (WIDTHS[-1], PENALTIES[-1])
    for width in WIDTHS:
        seen, shown = (_features(inputs[rows], centers, width * middle) for rows in (fitted, held))
        for penalty in PENALTIES:
            loss = float((_regress(seen, targets[fitted], shown, penalty) - targets[held]).square().mean())
            if best is None or loss < best:
                best, chosen = loss, (width, penalty)
    width, penalty = chosen
    return _regress(
        _features(inputs, centers, width * middle), targets, _features(asked, centers, width * middle), penalty
    )


def _features(inputs: Tensor, centers: Tensor, width: float) -> Tensor:
    return torch.cat([torch.exp(-0.5 * (torch.cdist(inputs, centers) / width).square()), _with_one(inputs)], dim=1)
