"""Entropy and mutual information of every latent with every factor at once, in nats, on the arrays' device.

Two estimators for classes. The plug-in estimator takes frequencies for probabilities; for independent variables it is
too large by about (A - 1)(B - 1) / 2N for A and B classes (Miller 1955). The corrected one takes off what chance gives:
it measures the plug-in value under permutations of the rows, E, and returns (I - E) H / (H - E) with H the factor's
entropy, which is 0 on average for independent variables and H for a factor that is a function of the latent, at any N
and any number of bins (the adjustment of Vinh et al. 2010, with E sampled and not summed). What does not exceed
the level that chance passes once in a thousand calls is 0, so that ratios of nothing do not arise.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from darla.vision.metrics.core.arrays import wide

PERMUTATIONS = 8
"""Permutations of the rows under which the chance level of mutual information is measured."""
FALSE_ALARM = 1e-3
"""Probability that any of the D x K mutual informations of independent variables is not set to 0."""
_CELLS = 2**24
"""Table cells or indices held at once; more latents than fit are taken in turns."""


@dataclass(frozen=True, eq=False)
class Information:
    """Entropies and mutual information in nats."""

    mutual: Tensor
    """float (D, K)"""
    latents: Tensor
    """Entropy of each latent's classes, (D,)."""
    factors: Tensor
    """Entropy of each factor's classes, (K,)."""
    joint: Tensor
    """Joint entropy of latent and factor, (D, K), by the plug-in estimator."""

    @property
    def normalized(self) -> Tensor:
        """Mutual information in units of the factor's entropy, (D, K); 0 for a factor of one value."""
        return ratio(self.mutual, self.factors)


def ratio(above: Tensor, below: Tensor) -> Tensor:
    """Divide, with 0 for what is divided by 0."""
    return torch.where(below != 0, above / torch.where(below != 0, below, 1.0), 0.0)


def histogram_bins(codes: Tensor, count: int) -> Tensor:
    """Put each column into bins of equal width over its range, as disentanglement_lib does.

    Args:
        codes: float (N, D). Edges are rounded to its precision, as numpy rounds them.
        count: bins.

    Returns:
        int64 (N, D) from 0 to count - 1. A constant column is one bin.
    """
    low, high = codes.amin(dim=0), codes.amax(dim=0)
    flat = low == high
    low, high = torch.where(flat, low - 0.5, low), torch.where(flat, high + 0.5, high)
    steps = torch.arange(count, dtype=codes.dtype, device=codes.device)
    # By a tensor: to divide by a number CUDA multiplies with its reciprocal, and values on an edge would change bins.
    width = (high - low) / torch.full_like(high, count)
    edges = steps[None, :] * width[:, None] + low[:, None]
    # The last edge is left out, so that the largest value belongs to the last bin.
    return torch.searchsorted(edges.contiguous(), codes.T.contiguous(), right=True).T - 1


def bins_of_equal_counts(codes: Tensor, count: int) -> Tensor:
    """Put each column into classes that depend on the order of its values alone.

    A column of at most `count` distinct values, each seen twice on average, keeps them. Any other is cut into `count`
    bins of equal counts, or into bins of five rows where rows are few; equal values share a bin.

    Args:
        codes: float (N, D).
        count: bins.

    Returns:
        int64 (N, D), from 0.
    """
    n = len(codes)
    ordered, order = torch.sort(codes, dim=0)
    new = torch.zeros_like(order)
    new[1:] = (ordered[1:] != ordered[:-1]).to(torch.int64)
    dense = new.cumsum(dim=0)
    rows = torch.arange(n, device=codes.device)[:, None].expand_as(order)
    first = torch.where(new == 1, rows, 0).cummax(dim=0).values
    cut = first * min(count, max(2, n // 5)) // n
    distinct = dense[-1] + 1
    kept = (distinct <= count) & (2 * distinct <= n)
    return torch.empty_like(order).scatter_(0, order, torch.where(kept, dense, cut))


def entropy(counts: Tensor) -> Tensor:
    """Return the plug-in entropy in nats over the last dimension of a table of counts."""
    numbers = counts.to(wide(counts.device))
    total = numbers.sum(dim=-1)
    entropies = total.log() - torch.special.xlogy(numbers, numbers).sum(dim=-1) / total
    # A single class has no entropy, and the logarithms above do not cancel to the last digit.
    return torch.where((counts > 0).sum(dim=-1) <= 1, 0.0, entropies)


def tables(a: Tensor, b: Tensor) -> Tensor:
    """Count how often classes meet: a (N, D), b (N, K), to int64 (D, K, A, B)."""
    (_, d), k = a.shape, b.shape[1]
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    pairs = (torch.arange(d * k, device=a.device).reshape(d, k) * rows)[None] + a[:, :, None]
    index = pairs * columns + b[:, None, :]
    return torch.bincount(index.reshape(-1), minlength=d * k * rows * columns).reshape(d, k, rows, columns)


def joint_entropy(a: Tensor, b: Tensor) -> Tensor:
    """Return the plug-in joint entropy of classes a (N, D) and b (N, K) in nats, (D, K)."""
    k = b.shape[1]
    cells = max((int(a.max()) + 1) * (int(b.max()) + 1), len(a))
    across = max(1, _CELLS // cells)
    down = max(1, across // k)
    return torch.cat(
        [
            torch.cat([entropy(tables(left, right).flatten(2)) for right in torch.split(b, across, dim=1)], dim=1)
            for left in torch.split(a, down, dim=1)
        ]
    )


def column_entropy(a: Tensor) -> Tensor:
    """Return the plug-in entropy of the classes in each column of a (N, D) in nats, (D,)."""
    return joint_entropy(a, torch.zeros_like(a[:, :1]))[:, 0]


def measure(a: Tensor, b: Tensor, rng: np.random.Generator | None = None) -> Information:
    """Return entropies and mutual information of classes.

    Args:
        a: int64 (N, D), classes of the latents.
        b: int64 (N, K), classes of the factors.
        rng: draws the permutations of the corrected estimator; the plug-in estimator if None.
    """
    latents, factors, joint = column_entropy(a), column_entropy(b), joint_entropy(a, b)
    total = latents[:, None] + factors
    mutual = _settled(total - joint, latents, factors)
    if rng is None:
        return Information(mutual, latents, factors, joint)
    by_chance = torch.zeros_like(joint)
    for _ in range(PERMUTATIONS):
        order = torch.from_numpy(rng.permutation(len(a))).to(a.device)
        by_chance += _settled(total - joint_entropy(a, b[order]), latents, factors)
    by_chance /= PERMUTATIONS
    room = factors - by_chance
    corrected = torch.where(room > 1e-9, (mutual - by_chance) * factors / torch.where(room > 1e-9, room, 1.0), 0.0)
    corrected = torch.where(mutual > chance_level(by_chance, len(a)), corrected, 0.0)
    return Information(torch.minimum(corrected.clamp(min=0), factors.expand_as(corrected)), latents, factors, joint)


def _settled(mutual: Tensor, latents: Tensor, factors: Tensor) -> Tensor:
    """Make the mutual information with a constant 0 exactly, and that of anything else no less."""
    constant = (latents[:, None] == 0) | (factors[None, :] == 0)
    return torch.where(constant | (mutual < 1e-14), 0.0, mutual)


def chance_level(by_chance: Tensor, n: int) -> Tensor:
    """Return the nats that independent variables exceed with probability FALSE_ALARM / DK.

    Args:
        by_chance: what they have on average, (D, K).
        n: rows.

    2N times the plug-in value is about chi-squared for independent variables, with as many degrees of freedom as its
    mean says; its quantile is Wilson and Hilferty's.
    """
    tail = torch.tensor(1 - FALSE_ALARM / by_chance.numel(), dtype=torch.float64)
    z = float(torch.special.ndtri(tail))
    degrees = (2 * n * by_chance).clamp(min=1e-12)
    part = 2 / (9 * degrees)
    quantile = degrees * (1 - part + z * part.sqrt()).clamp(min=0) ** 3
    # The cube is far off for a small fraction of a degree, where no more than rounding is expected.
    return torch.where(degrees > 0.05, quantile, z * z) / (2 * n)
