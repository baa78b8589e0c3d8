"""Unsupervised scores (Locatello et al. 2019, "Challenging Common Assumptions"): dependence between latents.

With S the covariance of the codes:

    total correlation = (sum_j log S_jj - log det S) / 2
    Wasserstein correlation = 2 tr S - 2 tr (diag(S) S)^(1/2)
"""

import torch
from torch import Tensor

from darla.vision.metrics.core.information import measure
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
    Presets: dlib takes S in the codes' own units. A constant latent makes it 0/0, a latent held twice infinite: both
    are refused; a nearly singular S gives the logarithm of its rounding errors. One latent is refused. robust takes
    the correlation matrix of latents that move with its eigenvalues floored at 1e-6, so a pair of equal latents counts
    6.6 nats, and reports how many are above the floor as `rank`; mutual information is corrected for chance.
    Failure modes: necessary and not sufficient. Any rotation of white codes has total correlation 0.

    Values: `unsupervised_scores` (the total correlation), `gaussian_total_correlation`,
    `gaussian_wasserstein_correlation`, `gaussian_wasserstein_correlation_norm` (over tr S), `mutual_info_score`,
    `rank`. Per latent: `mutual_information` (mean with the others).
    """
    d = sample.latent_count
    if sample.preset == "dlib":
        # What numpy's cov gives: divided by N - 1.
        centered = sample.codes - sample.codes.mean(dim=0)
        covariance = centered.T @ centered / (len(sample) - 1)
        scales = covariance.diagonal()
        total = 0.5 * (scales.log().sum() - torch.linalg.slogdet(covariance).logabsdet)
        rank = torch.linalg.matrix_rank(covariance, hermitian=True)
    else:
        standard = sample.standardized
        covariance = standard.T @ standard / len(sample)
        scales = covariance.diagonal()
        eigenvalues = torch.linalg.eigvalsh(covariance)
        rank = (eigenvalues > FLOOR).sum()
        # A constant latent, of which there is one if none moves, is independent of the others.
        moving = int((scales > 0.5).sum())
        total = -0.5 * eigenvalues.clamp(min=FLOOR)[d - moving :].log().sum()
        total = total.clamp(min=0)
    # diag(S) S has the eigenvalues of the symmetric diag(S)^(1/2) S diag(S)^(1/2).
    roots = scales.sqrt()
    product = torch.linalg.eigvalsh(roots[:, None] * covariance * roots)
    wasserstein = 2 * scales.sum() - 2 * product.clamp(min=0).sqrt().sum()
    corrected = sample.rng("mutual information") if sample.preset == "robust" else None
    mutual = _without_diagonal(measure(sample.bins, sample.bins, corrected).mutual)
    pairs = d * d - d
    norm = scales.sum()
    if sample.preset == "robust":
        pairs, norm = max(pairs, 1), norm.clamp(min=1)
        wasserstein = wasserstein.clamp(min=0)
    return Scores(
        score=total,
        values={
            "gaussian_total_correlation": total,
            "gaussian_wasserstein_correlation": wasserstein,
            "gaussian_wasserstein_correlation_norm": wasserstein / norm,
            "mutual_info_score": mutual.sum() / pairs if pairs else float("nan"),
            "rank": rank,
        },
        per_latent={"mutual_information": mutual.sum(dim=1) / max(d - 1, 1)},
    )


def _without_diagonal(table: Tensor) -> Tensor:
    return table - torch.diag(table.diagonal())
