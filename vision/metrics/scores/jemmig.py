"""JEMMIG (Do and Tran 2020, "Theory and Evaluation Metrics for Learning Disentangled Representations").

With z_j the latents and v_k the factors:

    JEMMIG = mean_k 1 - (H(z_j*, v_k) - I(z_j*; v_k) + I(z_(2); v_k)) / (H(v_k) + log B)
"""

import torch
from torch import Tensor

from darla.vision.metrics.core.information import bins_of_equal_counts, measure, ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import BINS, Sample
from darla.vision.metrics.scores.mig import gap


@metric("both", order=80, chance="permuted")
def jemmig(sample: Sample) -> Scores:
    """Measure whether one latent, and no other, knows a factor, and knows nothing besides.

    J_k = H(z_j*, v_k) - I(z_j*; v_k) + I(z_(2); v_k), with j* the latent that knows factor k best and (2) the next one;
    JEMMIG = mean_k 1 - J_k / (H(v_k) + log B) for latents of B classes.

    Source: Do and Tran 2020, "Theory and Evaluation Metrics for Learning Disentangled Representations", eq. 8,
    normalized as by Zaidi et al. 2020. `rmig`, the same paper's eq. 7, is mean_k I(z_(1); v_k) - I(z_(2); v_k) in nats.
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows. Cost: one table for each latent and
    factor, nine in the robust preset.
    Presets: dlib takes 20 bins of equal width, plug-in entropies and B = 20; codes that know nothing then
    score far above 0, a constant one about log 20 / (H + log 20). robust takes a latent's own values and B = their
    number, or else as many bins of equal counts as the factor has values, so that resolution beyond the factor's is not
    held against a latent; mutual information is corrected for chance, and a code that knows nothing scores near 0.
    Failure modes: a latent of finer steps than the factor is taken for one that knows something else.

    Values: `jemmig`, `rmig`. Per factor: `score`, `gap`. Matrix: I(z_j; v_k) / H(v_k).
    """
    if sample.preset == "dlib":
        information = sample.information
        best = information.mutual.argmax(dim=0)
        gaps, entropies = gap(sample, information.mutual), information.factors
        scores = 1 - (_at(information.joint, best) - gaps) / (entropies + torch.log(torch.tensor(float(BINS))))
        return _scores(scores, gaps, information.normalized)
    own = sample.bins.amax(dim=0) + 1
    kept = torch.tensor([len(torch.unique(column)) for column in sample.codes.T], device=sample.device) == own
    parts = []
    for k, size in enumerate(sample.sizes):
        fitted = torch.where(kept, sample.bins, bins_of_equal_counts(sample.codes, max(2, size)))
        of_factor = measure(fitted, sample.labels[:, k : k + 1], sample.rng("mutual information"))
        best = of_factor.mutual[:, 0].argmax()
        lead = gap(sample, of_factor.mutual)[0]
        # J with the corrected information: H(z, v) = H(z) + H(v) - I.
        joint = of_factor.latents[best] + of_factor.factors[0] - of_factor.mutual[best, 0]
        most = of_factor.factors[0] + (fitted[:, best].max() + 1).to(joint).log()
        parts.append((1 - (joint - lead) / most, lead, ratio(of_factor.mutual[:, 0], of_factor.factors)))
    scores, gaps = torch.stack([part[0] for part in parts]), torch.stack([part[1] for part in parts])
    return _scores(scores, gaps, torch.stack([part[2] for part in parts], dim=1))


def _at(table: Tensor, rows: Tensor) -> Tensor:
    return table.gather(0, rows[None])[0]


def _scores(scores: Tensor, gaps: Tensor, matrix: Tensor) -> Scores:
    return Scores(
        score=scores.mean(),
        values={"rmig": gaps.mean()},
        per_factor={"score": scores, "gap": gaps},
        matrix=matrix,
    )
