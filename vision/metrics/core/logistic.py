"""Linear probes: multinomial logistic regression, fitted in torch where the codes are, and areas under its ROC curves.

Codes have few columns and factors up to hundreds of classes, so a full-batch quasi-Newton method is fast. It starts
from the linear discriminant, the exact answer where the codes of each class are Gaussian with one covariance. From
zero, a code that separates forty ordered classes is not separated within a hundred iterations.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SHRINKAGE = 1e-4
"""Variance that the linear discriminant adds within classes, in units of the codes' own: codes without noise have
none."""


@dataclass(frozen=True)
class Logistic:
    """A fitted probe."""

    mean: Tensor
    """(D,) of the rows that it was fitted on."""
    deviation: Tensor
    """(D,); 1 for a column of one value."""
    weights: Tensor
    """(D + 1, C) of the standardized columns; the last row is the bias."""

    def logits(self, codes: Tensor) -> Tensor:
        """Return unnormalized log-probabilities of the classes, (N, C)."""
        return _with_one((codes - self.mean) / self.deviation) @ self.weights

    def predict(self, codes: Tensor) -> Tensor:
        """Return the most probable class, int64 (N,)."""
        return self.logits(codes).argmax(dim=1)


def fit_logistic(
    codes: Tensor,
    labels: Tensor,
    classes: int,
    *,
    penalty: float = 1e-6,
    shrinkage: float = SHRINKAGE,
    iterations: int = 50,
    tolerance: float = 1e-6,
) -> Logistic:
    """Fit a probe of standardized codes: cross-entropy summed over rows plus penalty / 2 times the squared weights.

    Args:
        codes: float (N, D).
        labels: int64 (N,), below `classes`; not every class has to occur.
        classes: C.
        penalty: what 1 / C is in scikit-learn. The bias is not penalized. The default all but leaves it out: forty
            ordered classes along one axis need large weights.
        shrinkage: variance within classes that the linear discriminant adds.
        iterations: of L-BFGS, at most.
        tolerance: largest slope, of the mean loss, at which it has converged.

    Returns:
        The probe; its answer is the only class there is where `labels` has one value.
    """
    count = len(codes)
    mean = codes.mean(dim=0)
    spread = (codes - mean).square().mean(dim=0).sqrt()
    constant = (codes == codes[:1]).all(dim=0) | (spread == 0)
    deviation = torch.where(constant, 1.0, spread)
    inputs = _with_one(torch.where(constant, 0.0, (codes - mean) / deviation))
    start = _discriminant(inputs[:, :-1], labels, classes, shrinkage)
    rows = torch.arange(count, device=codes.device)
    weights = start.clone().requires_grad_()
    shrink = torch.full((inputs.shape[1], 1), penalty / count, dtype=codes.dtype, device=codes.device)
    shrink[-1] = 0.0
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=iterations, tolerance_grad=tolerance, tolerance_change=1e-10, history_size=20,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> Tensor:
        # The slope is written out: it costs one product, and no graph is built.
        logits = inputs @ weights.detach()
        highest = logits.amax(dim=1, keepdim=True)
        scores = (logits - highest).exp_()
        total = scores.sum(dim=1, keepdim=True)
        value = (total.log() + highest).sum() - logits[rows, labels].sum()
        scores.div_(total)
        scores[rows, labels] -= 1.0
        shrunk = shrink * weights.detach()
        weights.grad = (inputs.T @ scores).div_(count).add_(shrunk)
        return value / count + 0.5 * (shrunk * weights.detach()).sum()

    if classes > 1:
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted = weights.detach()
    return Logistic(mean, deviation, fitted if bool(torch.isfinite(fitted).all()) else start)


def _with_one(inputs: Tensor) -> Tensor:
    return torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)


def _discriminant(inputs: Tensor, labels: Tensor, classes: int, shrinkage: float) -> Tensor:
    """Return weights (D + 1, C) of linear discriminant analysis; a class without rows is all but ruled out."""
    counts = torch.bincount(labels, minlength=classes).to(inputs.dtype)
    means = inputs.new_zeros(classes, inputs.shape[1]).index_add_(0, labels, inputs) / counts.clamp(min=1)[:, None]
    within = inputs - means[labels]
    covariance = within.T @ within / len(inputs)
    covariance = covariance + shrinkage * torch.eye(inputs.shape[1], dtype=inputs.dtype, device=inputs.device)
    directions = torch.linalg.solve(covariance, means.T)
    bias = -0.5 * (means.T * directions).sum(dim=0) + (counts.clamp(min=1e-3) / len(inputs)).log()
    return torch.cat([directions, bias[None]])


def roc_auc(scores: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the area under the ROC curve of each class against the rest, by ranks; ties count half.

    Args:
        scores: float (N, C), larger where the class is likelier.
        labels: int64 (N,).
        classes: C.

    Returns:
        Areas (C,), 0.5 where undefined, and which are defined, bool (C,): those of classes that some rows have and
        some have not.
    """
    columns = scores.T.contiguous()
    ordered = columns.sort(dim=1).values
    below = torch.searchsorted(ordered, columns)
    up_to = torch.searchsorted(ordered, columns, right=True)
    ranks = (below + up_to + 1).to(scores.dtype) / 2
    inside = torch.nn.functional.one_hot(labels, classes).T.to(scores.dtype)
    positives = inside.sum(dim=1)
    negatives = len(labels) - positives
    defined = (positives > 0) & (negatives > 0)
    above = (ranks * inside).sum(dim=1) - positives * (positives + 1) / 2
    return torch.where(defined, above / (positives * negatives).clamp(min=1), 0.5), defined
