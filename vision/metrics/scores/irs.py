"""IRS (Suter et al. 2019, "Robustly Disentangled Causal Mechanisms"), the interventional robustness score.

With z_j the latents and v_k the factors:

    IRS_jk = 1 - mean_v max |z_j - E[z_j | v_k = v]| / max |z_j - E z_j|
    IRS = mean over j of max_k IRS_jk, weighted by the largest deviations of the latents
"""

import torch
from torch import Tensor

from darla.vision.metrics.core.information import histogram_bins, ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import BINS, Sample

QUANTILE = 0.99
"""Which of the deviations counts as the largest; the paper's is 1, that of disentanglement_lib this."""


@metric("modularity", order=70, chance="permuted")
def irs(sample: Sample) -> Scores:
    """Measure whether a latent stays where it is as long as one factor does, whatever the others do.

    e_jk(v) = mean of z_j over rows with v_k = v; C_jk = mean_v q99 |z_j - e_jk(v)| over these rows;
    IRS_jk = 1 - C_jk / C_j with C_j the largest deviation of z_j from its mean; the score is the mean of max_k IRS_jk,
    weighted by C_j.

    Source: Suter et al. 2019, "Robustly Disentangled Causal Mechanisms", eq. 5 with independent factors, q99 for max.
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows. Cost: a sort of every class.
    Presets: dlib puts factors into 20 bins of equal width, so that a perfect code of factors with more values falls
    short of 1 (0.99 at dSprites' sizes); compares a quantile with a maximum, so that noise scores 0.4; and lets latents
    of a large scale dominate. robust takes the factors' own values, the same quantile above and below, and all latents
    alike.
    Failure modes: extremes of few rows decide. Correlated factors count as robustness. Blind to missing factors and to
    factors held twice.

    Values: `irs`, `active_latents`. Per latent: `irs`, `factor` (column of the best), `weight`. Matrix: IRS_jk.
    """
    dlib = sample.preset == "dlib"
    codes = sample.codes if dlib else sample.standardized
    labels = histogram_bins(sample.values, BINS) if dlib else sample.labels
    off = (codes - codes.mean(dim=0)).abs()
    deviation = off.amax(dim=0) if dlib else quantile(off, QUANTILE)
    moving = (codes != codes[:1]).any(dim=0)
    spread = torch.zeros(codes.shape[1], labels.shape[1], dtype=codes.dtype, device=codes.device)
    for k in range(labels.shape[1]):
        classes = torch.unique(labels[:, k]).tolist()
        for value in classes:
            inside = codes[labels[:, k] == value]
            spread[:, k] += quantile((inside - inside.mean(dim=0)).abs(), QUANTILE) / len(classes)
    matrix = torch.where(moving[:, None], 1 - ratio(spread, deviation[:, None].expand_as(spread)), 0.0)
    if not dlib:
        matrix = matrix.clamp(min=0)
    each = matrix.amax(dim=1)
    weights = torch.where(moving, deviation if dlib else 1.0, 0.0)
    return Scores(
        score=ratio((each * weights).sum(), weights.sum()),
        values={"active_latents": moving.sum()},
        per_latent={
            "irs": each,
            "factor": sample.measured[matrix.argmax(dim=1).cpu()].to(torch.float64),
            "weight": ratio(weights, weights.sum()),
        },
        matrix=matrix,
    )


def quantile(numbers: Tensor, q: float) -> Tensor:
    """Return the q-quantile of each column of (N, D), linear between ranks, for any N."""
    ordered = numbers.sort(dim=0).values
    place = q * (len(numbers) - 1)
    low = int(place)
    high = min(low + 1, len(numbers) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
