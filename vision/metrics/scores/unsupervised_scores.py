"""Unsupervised scores (Locatello et al. 2019, "Challenging Common Assumptions"): dependence between latents.

With S the covariance of the codes:

    total correlation = (sum_j log S_jj - log det S) / 2
    Wasserstein correlation = 2 tr S - 2 tr (diag(S) S)^(1/2)
"""

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.information import PERMUTATIONS, chance_level, measure
from darla.vision.metrics.core.registry import Requirements, metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample

FLOOR = 1e-6
"""Smallest eigenvalue of a correlation matrix in the robust preset; below it a latent is a sum of others."""


@metric("other", order=170, chance=0.0, ceiling=0.0, needs=Requirements(factors=False), better="lower")
def unsupervised_scores(sample: Sample) -> Scores:
    """Measure how much latents depend on one another.

    With S the covariance of the codes: gaussian_total_correlation = (sum_j log S_jj - log det S) / 2, the nats between
    a normal distribution of covariance S and the product of its margins; gaussian_wasserstein_correlation =
    2 tr S - 2 tr (diag(S) S)^(1/2), the squared Wasserstein distance between the two; mutual_info_score = mean over
    pairs of latents of their mutual information in nats.

    Source: Locatello et al. 2019, "Challenging Common Assumptions", appendix C; disentanglement_lib.
    Range: from 0 up; 0 is best. Chance and ceiling: 0, for independent latents have it. Cost: D^2 tables.
    Presets: dlib takes S in the codes' own units. A constant latent makes its first two scores 0/0: they are taken
    over the other latents, which is what a variance that goes to 0 leads to, and mutual information over all. A latent
    held twice makes them infinite, which is refused; a nearly singular S gives the logarithm of its rounding errors.
    One latent is refused. robust takes the correlation matrix of latents that move with its eigenvalues floored at
    1e-6, so a pair of equal latents counts 6.6 nats, and reports how many are above the floor as `rank`. All three are
    corrected for chance, for independent latents are correlated over few rows: ten of them have 0.23 nats of total
    correlation over 100 rows. Their mean under permutations of the latents is subtracted, and what chance exceeds more
    often than once in a thousand calls is 0.
    Failure modes: necessary and not sufficient. Any rotation of white codes has total correlation 0.

    Values: `unsupervised_scores` (the total correlation), `gaussian_total_correlation`,
    `gaussian_wasserstein_correlation`, `gaussian_wasserstein_correlation_norm` (over tr S), `mutual_info_score`,
    `rank`. Per latent: `mutual_information` (mean with the others).
    """
    d = sample.latent_count
    if sample.preset == "dlib":
        if d == 1:
            raise InputError("unsupervised_scores needs at least 2 latents in the dlib preset, not 1")
        # What numpy's cov gives: divided by N - 1.
        centered = sample.codes - sample.codes.mean(dim=0)
        covariance = centered.T @ centered / (len(sample) - 1)
        rank = torch.linalg.matrix_rank(covariance, hermitian=True)
        moves = (sample.codes != sample.codes[:1]).any(dim=0)
        covariance = covariance[moves][:, moves]
        scales = covariance.diagonal()
        total = 0.5 * (scales.log().sum() - torch.linalg.slogdet(covariance).logabsdet)
        wasserstein = _wasserstein(covariance)
    else:
        # A constant latent, of which there is one if none moves, is independent of the others.
        moving = sample.standardized[:, sample.standardized.abs().amax(dim=0) > 0]
        covariance = moving.T @ moving / len(sample)
        scales = covariance.diagonal()
        rank = (torch.linalg.eigvalsh(covariance) > FLOOR).sum()
        total, wasserstein = _beyond_chance(moving, sample.rng("total correlation"))
    corrected = sample.rng("mutual information") if sample.preset == "robust" else None
    mutual = _without_diagonal(measure(sample.bins, sample.bins, corrected).mutual)
    pairs = d * d - d
    norm = scales.sum()
    if sample.preset == "robust":
        pairs, norm = max(pairs, 1), norm.clamp(min=1)
    return Scores(
        score=total,
        values={
            "gaussian_total_correlation": total,
            "gaussian_wasserstein_correlation": wasserstein,
            "gaussian_wasserstein_correlation_norm": wasserstein / norm,
            "mutual_info_score": mutual.sum() / pairs,
            "rank": rank,
        },
        per_latent={"mutual_information": mutual.sum(dim=1) / max(d - 1, 1)},
    )


def _total_correlation(covariance: Tensor) -> Tensor:
    """Return the total correlation of a correlation matrix with floored eigenvalues."""
    total: Tensor = -0.5 * torch.linalg.eigvalsh(covariance).clamp(min=FLOOR).log().sum()
    return total


def _wasserstein(covariance: Tensor) -> Tensor:
    # diag(S) S has the eigenvalues of the symmetric diag(S)^(1/2) S diag(S)^(1/2).
    roots = covariance.diagonal().sqrt()
    product = torch.linalg.eigvalsh(roots[:, None] * covariance * roots)
    distance: Tensor = 2 * covariance.diagonal().sum() - 2 * product.clamp(min=0).sqrt().sum()
    return distance


def _beyond_chance(standard: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return total and Wasserstein correlation of standardized latents (N, D) less what independent latents have."""
    n, d = standard.shape
    covariance = standard.T @ standard / n
    measured = torch.stack([_total_correlation(covariance), _wasserstein(covariance)])
    by_chance = torch.zeros_like(measured)
    for _ in range(PERMUTATIONS):
        order = torch.from_numpy(rng.permuted(np.tile(np.arange(n), (d, 1)), axis=1)).to(standard.device)
        dealt = standard.gather(0, order.T)
        permuted = dealt.T @ dealt / n
        by_chance += torch.stack([_total_correlation(permuted), _wasserstein(permuted)]) / PERMUTATIONS
    beyond = (measured - by_chance).clamp(min=0)
    if measured[0] <= chance_level(by_chance[:1, None], n).squeeze():
        beyond = torch.zeros_like(beyond)
    return beyond[0], beyond[1]


def _without_diagonal(table: Tensor) -> Tensor:
    return table - torch.diag(table.diagonal())
