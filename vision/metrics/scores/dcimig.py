"""DCIMIG (Sepliarskaia et al. 2019, "Evaluating Disentangled Representations"), the gap credited to the factor.

With z_j the latents and v_k the factors:

    DCIMIG = sum_k max_{j: k*(j) = k} (I(z_j; v_k) - max_{l != k} I(z_j; v_l)) / sum_k H(v_k)
"""

import torch

from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.scores.mig import gap


@metric("both", order=90)
def dcimig(sample: Sample) -> Scores:
    """Measure how much of the factors' entropy is held by latents that hold one factor.

    gap_j = I(z_j; v_k*) - max_{k != k*} I(z_j; v_k) with k* the factor that latent j knows best;
    S_k = the largest gap of the latents whose k* is k, 0 if there is none; DCIMIG = sum_k S_k / sum_k H(v_k).

    Source: Sepliarskaia et al. 2019, "Evaluating Disentangled Representations", section 4 (their 3CharM).
    Range: 0 to 1. Chance: 0. Cost: shared with `mig`.
    Presets: dlib takes 20 bins of equal width and plug-in mutual information, which outliers sink; one
    factor is refused. robust takes mutual information corrected for chance, and 0 for the next factor where there is
    one.
    Failure modes: none for a factor held twice, on purpose: it asks for one good latent, not for a single one. A factor
    of large entropy weighs more.

    Values: `dcimig`. Per factor: `held` (S_k / H). Per latent: `gap` (nats), `factor` (column of k*).
    Matrix: I(z_j; v_k) / H(v_k).
    """
    information = sample.information
    gaps = gap(sample, information.mutual.T, "factors must have at least 2 columns in the dlib preset, not 1")
    first = information.mutual.argmax(dim=1)
    credited = torch.zeros_like(information.mutual).scatter_(1, first[:, None], gaps[:, None]).amax(dim=0)
    return Scores(
        score=credited.sum() / information.factors.sum(),
        per_factor={"held": credited / information.factors},
        per_latent={"gap": gaps, "factor": sample.measured[first.cpu()].to(torch.float64)},
        matrix=information.normalized,
    )
