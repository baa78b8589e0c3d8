"""MCC (Hyvärinen and Morioka 2016, "Unsupervised Feature Extraction by Time-Contrastive Learning").

With z_j the latents and v_k the factors:

    MCC = max over one-to-one assignments pi of latents to factors of mean_k |corr(z_pi(k), v_k)|
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample


@metric("both", order=100, chance="permuted")
def mcc(sample: Sample) -> Scores:
    """Measure how well latents, one for each factor, correlate with the factors.

    MCC = max over one-to-one assignments of latents to factors of mean_k |corr(z_pi(k), v_k)|.

    Source: Hyvärinen and Morioka 2016, "Unsupervised Feature Extraction by Time-Contrastive Learning"; Khemakhem et al.
    2020, the standard of the literature on identifiability. Assignment by the Hungarian method (Kuhn 1955).
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows; the largest of many small correlations is
    not 0. Cost: a correlation matrix.
    Presets: dlib (which has no such score) takes all latents and refuses constant ones; robust gives a
    constant latent the correlation 0. Both count a factor without a latent as 0 where there are fewer latents.
    Failure modes: asks for a line (`pearson`) or a monotone curve (`spearman`), so a factor whose values have no order,
    or a cyclic one, counts as missed however well it is held.

    Values: `mcc` and `pearson` (the same), `spearman`. Per factor: `correlation`, `latent` (its column, -1 for none).
    Matrix: |corr|.
    """
    linear = _correlation(sample.codes, sample.values, sample.preset)
    ordinal = _correlation(ranks(sample.codes), ranks(sample.values), sample.preset)
    by_factor, latents = _assigned(linear)
    spearman, _ = _assigned(ordinal)
    columns = torch.where(latents >= 0, sample.latents[latents.clamp(min=0)], -1)
    return Scores(
        score=by_factor.mean(),
        values={"pearson": by_factor.mean(), "spearman": spearman.mean()},
        per_factor={"correlation": by_factor, "latent": columns.to(torch.float64)},
        matrix=linear,
    )


def _correlation(codes: Tensor, values: Tensor, preset: str) -> Tensor:
    left, right = _unit(codes), _unit(values)
    product = (left.T @ right).abs().clamp(max=1)
    if preset == "dlib":
        still = (left.abs().amax(dim=0) == 0)[:, None] | (right.abs().amax(dim=0) == 0)
        product = torch.where(still, float("nan"), product)
    return product


def _unit(columns: Tensor) -> Tensor:
    """Return columns with mean 0 and length 1; zeros for a constant one."""
    low, span = columns.amin(dim=0), columns.amax(dim=0) - columns.amin(dim=0)
    unit = ratio(columns - low, span.expand_as(columns))
    unit = torch.where(span > 0, unit - unit.mean(dim=0), 0.0)
    return ratio(unit, unit.norm(dim=0).expand_as(unit))


def ranks(columns: Tensor) -> Tensor:
    """Return ranks within each column of (N, D), their mean for equal values."""
    lines = columns.T.contiguous()
    ordered = lines.sort(dim=1).values
    below = torch.searchsorted(ordered, lines)
    up_to = torch.searchsorted(ordered, lines, right=True)
    return ((below + up_to).T - 1).to(columns.dtype) / 2


def _assigned(relation: Tensor) -> tuple[Tensor, Tensor]:
    """Return each factor's entry under the best assignment, and its latent, -1 for none; both (K,) on the CPU."""
    table = relation.cpu()
    if not bool(torch.isfinite(table).all()):
        return torch.full((table.shape[1],), float("nan")), torch.full((table.shape[1],), -1)
    rows, columns = (torch.from_numpy(part) for part in linear_sum_assignment(table.numpy(), maximize=True))
    by_factor, latents = torch.zeros(table.shape[1], dtype=table.dtype), torch.full((table.shape[1],), -1)
    by_factor[columns], latents[columns] = table[rows, columns], rows
    return by_factor, latents
