"""The best classifier of a factor that cuts one latent's axis with thresholds, found exactly.

A classifier of one number with s - 1 thresholds answers one class in each of s intervals. The best such classifier is
a longest path: positions along the axis, intervals used and the current class are its states, and it is found for
all latents at once by dynamic programming. No search over thresholds by greed, no surrogate loss.
"""

import torch
from torch import Tensor

from darla.vision.metrics.core.arrays import wide

CELLS = 1024
"""Positions along the axis between which thresholds are looked for, at most: every distinct value where there are
fewer, cells of equal counts otherwise."""
ERRORS = 3.0
"""Standard errors by which a balanced accuracy must exceed guessing to count in the robust preset."""


def cut_points(codes: Tensor, cells: int = CELLS) -> Tensor:
    """Return where each latent's axis may be cut: float (D, B - 1), rising, filled up with infinity.

    Args:
        codes: float (N, D).
        cells: B, at most.
    """
    rows = []
    for column in codes.T:
        distinct, counts = torch.unique(column, return_counts=True)
        ends = counts.cumsum(0)[:-1]
        if len(distinct) > cells:
            # The boundary between distinct values that lies nearest above each quantile.
            wanted = torch.arange(1, cells, device=codes.device) * len(column) // cells
            ends = torch.unique(torch.searchsorted(ends, wanted).clamp(max=len(ends) - 1))
        else:
            ends = torch.arange(len(ends), device=codes.device)
        rows.append(distinct[ends] + (distinct[ends + 1] - distinct[ends]) / 2)
    width = max(len(row) for row in rows)
    return torch.stack([torch.cat([row, row.new_full((width - len(row),), torch.inf)]) for row in rows])


def cells_of(codes: Tensor, cuts: Tensor) -> Tensor:
    """Return the cell that each code falls into, int64 (D, N); a code on a cut belongs to the cell above."""
    return torch.searchsorted(cuts, codes.T.contiguous(), right=True)


def best_thresholds(cells: Tensor, labels: Tensor, classes: int, count: int, pieces: int | None = None) -> Tensor:
    """Return the class that the best classifier by thresholds answers in each cell.

    Args:
        cells: int64 (D, N), below `count`.
        labels: int64 (N,), below `classes`.
        classes: C.
        count: B, cells along each axis.
        pieces: intervals, at most; C where None, what it takes to tell C values apart.

    Returns:
        int64 (D, B). Each row has the largest balanced accuracy, the mean over the classes that occur of the share of
        their rows that are answered right, of all functions with so many intervals.
    """
    latents = len(cells)
    pieces = min(classes if pieces is None else pieces, count)
    device = cells.device
    occurring = torch.bincount(labels, minlength=classes)
    weight = torch.where(occurring > 0, 1.0 / occurring.clamp(min=1), 0.0).to(torch.float32)
    gains = torch.zeros(latents, count * classes, dtype=torch.float32, device=device)
    gains.scatter_add_(1, cells * classes + labels, weight[labels].expand(latents, -1))
    gains = gains.view(latents, count, classes).transpose(0, 1).contiguous()

    # best[d, s, c]: most that can be won up to here with s + 1 intervals, the last of which answers c.
    best = torch.full((latents, pieces, classes), -torch.inf, device=device)
    best[:, 0] = gains[0]
    opened = torch.zeros(count, latents, pieces, classes, dtype=torch.bool, device=device)
    before = torch.zeros(count, latents, pieces, dtype=torch.int64, device=device)
    for position in range(1, count):
        top, before[position] = best.max(dim=2)
        if pieces > 1:
            # Strictly better only, so that no threshold is spent where it wins nothing.
            switch = top[:, :-1, None] > best[:, 1:]
            opened[position, :, 1:] = switch
            best[:, 1:] = torch.where(switch, top[:, :-1, None], best[:, 1:])
        best += gains[position, :, None]
    state = best.flatten(1).argmax(dim=1)
    piece, answer = state // classes, state % classes
    answers = torch.empty(latents, count, dtype=torch.int64, device=device)
    each = torch.arange(latents, device=device)
    for position in range(count - 1, -1, -1):
        answers[:, position] = answer
        new = opened[position, each, piece, answer]
        piece = torch.where(new, piece - 1, piece)
        answer = torch.where(new, before[position, each, piece], answer)
    return answers


def balanced_accuracy(answers: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean share of right answers over the classes that occur, and its standard error under guessing.

    Args:
        answers: int64 (D, N).
        labels: int64 (N,).
        classes: C.

    Returns:
        (D,), and a scalar: the deviation that answers drawn at random would have from 1 / C over these rows.
    """
    counts = torch.bincount(labels, minlength=classes).to(wide(labels.device))
    occurring = counts > 0
    share = torch.where(occurring, 1.0 / counts.clamp(min=1), 0.0)
    right = (answers == labels).to(share) @ share[labels]
    chance = 1.0 / classes
    error = (chance * (1 - chance) * share.sum()).sqrt() / occurring.sum()
    # Shares of rows add up to a hair more than 1.
    return (right / occurring.sum()).clamp(max=1.0), error
