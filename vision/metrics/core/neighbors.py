"""Mutual information of continuous latents without bins, from the distances of nearest neighbors."""

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

NEIGHBORS = 10
"""Neighbors that InfoMEC looks at."""


def with_classes(codes: Tensor, labels: Tensor, neighbors: int = NEIGHBORS) -> Tensor:
    """Return the mutual information of each latent with one factor of classes, float (D,), in nats.

    I = psi(N) + <psi(k)> - <psi(N_v)> - <psi(m)>: N_v rows share a row's class, the k-th neighbor among them is at a
    distance d, and m rows of any class are nearer than d, the row itself included (Ross 2014, "Mutual Information
    between Discrete and Continuous Data Sets"; scikit-learn's `mutual_info_classif`). All latents at once: in one
    dimension, sorted, the k-th neighbor is the nearer end of the best window of k + 1 rows.

    Args:
        codes: float (N, D), without equal values.
        labels: int64 (N,).
        neighbors: k, less in a class of fewer rows. A class of one row is left out.
    """
    counts = torch.bincount(labels)
    used = counts[labels] > 1
    if not bool(used.any()):
        return codes.new_zeros(codes.shape[1])
    codes, labels = codes[used], labels[used]
    n = len(codes)
    lines = codes.T.contiguous()
    by_value = lines.argsort(dim=1, stable=True)
    order = by_value.gather(1, labels[by_value].argsort(dim=1, stable=True))
    grouped = lines.gather(1, order)
    place = torch.arange(n, device=codes.device)
    sizes = torch.bincount(labels, minlength=len(counts))
    ends = sizes.cumsum(0)
    owner = torch.searchsorted(ends, place, right=True)
    start, end = (ends - sizes)[owner], ends[owner]
    k = (end - start - 1).clamp(max=neighbors)
    distance = torch.full_like(grouped, float("inf"))
    for before in range(neighbors + 1):
        low = place - before
        high = low + k
        fits = (before <= k) & (low >= start) & (high < end)
        low, high = low.clamp(0, n - 1), high.clamp(0, n - 1)
        reach = torch.maximum(grouped - grouped[:, low], grouped[:, high] - grouped)
        distance = torch.where(fits, torch.minimum(distance, reach), distance)
    radius = _less(distance, grouped)
    ordered = lines.sort(dim=1).values
    nearer = torch.searchsorted(ordered, grouped + radius, right=True) - torch.searchsorted(ordered, grouped - radius)
    psi = torch.special.digamma
    of_rows = psi(k.to(codes.dtype)) - psi((end - start).to(codes.dtype))
    estimates: Tensor = psi(codes.new_tensor(float(n))) + of_rows.mean() - psi(nearer.to(codes.dtype)).mean(dim=1)
    return estimates.clamp(min=0)


def with_numbers(codes: Tensor, values: Tensor, neighbors: int = NEIGHBORS) -> Tensor:
    """Return the mutual information of each latent with one continuous factor, float (D,), in nats.

    The first estimator of Kraskov et al. 2004, "Estimating Mutual Information", by the largest of two distances. The
    tree is scipy's, on the CPU.

    Args:
        codes: float (N, D), without equal values.
        values: float (N,), without equal values.
        neighbors: k.
    """
    n = len(codes)
    k = min(neighbors, n - 1)
    y = values.cpu().numpy()
    estimates = []
    for x in codes.T.cpu().numpy():
        pairs = np.column_stack([x, y])
        distance = torch.from_numpy(cKDTree(pairs).query(pairs, k=k + 1, p=np.inf)[0][:, -1])
        total = torch.special.digamma(torch.tensor([float(n), float(k)], dtype=torch.float64)).sum()
        for side in (x, y):
            line = torch.from_numpy(np.ascontiguousarray(side))
            ordered, radius = line.sort().values, _less(distance, line)
            within = torch.searchsorted(ordered, line + radius, right=True) - torch.searchsorted(ordered, line - radius)
            total = total - torch.special.digamma(within.to(torch.float64)).mean()
        estimates.append(total.clamp(min=0))
    return torch.stack(estimates).to(codes)


def _less(distance: Tensor, places: Tensor) -> Tensor:
    """Return a little less than a distance, so that the neighbor at that distance is not nearer than itself.

    The rounding of place + distance is what has to be made up for, not that of the distance.
    """
    rounding = 4 * torch.finfo(places.dtype).eps * places.abs().max()
    return (distance - rounding).clamp(min=0)
