"""MIG (Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs"), the mutual information gap.

With z_j the latents and v_k the factors:

    MIG = mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k)
"""

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample

ALONE = "codes must have at least 2 columns in the dlib preset, not 1"


@metric("compactness", order=10)
def mig(sample: Sample) -> Scores:
    """Measure by how much the latent that knows a factor best is ahead of the next one.

    MIG = mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k), where z_(1) and z_(2) are the two latents that have the most
    mutual information with factor k.

    Source: Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs", eq. 6, on posterior means as in Locatello
    et al. 2019; `mig_posterior` is the estimator of the paper.
    Range: 0 to 1. Chance: 0. Cost: one table of N rows for each latent and factor; nine in the robust preset.
    Presets: dlib bins latents into 20 bins of equal width, so a factor of more than 20 values cannot reach 1 (a perfect
    code at dSprites' sizes has 0.90), outliers sink it, and it moves under a monotone map; one latent is refused.
    robust uses a latent's own values or bins of equal counts and mutual information corrected for chance, leaves out
    latents that do not move and factors of one value, and takes 0 for the next latent where there is only one.
    Failure modes: a factor held twice has gap 0, though nothing is entangled. A latent may be first for two
    factors, so merged codes score high: read `mig_sup` beside it. A cyclic factor in (cos, sin) has a small gap.

    Values: `mig`. Per factor: `gap`, `best` (column of the latent). Matrix: I(z_j; v_k) / H(v_k).
    """
    information = sample.information
    gaps = gap(sample, information.mutual)
    normalized_gaps = gaps / information.factors if sample.preset == "dlib" else ratio(gaps, information.factors)
    return Scores(
        score=normalized_gaps.mean(),
        per_factor={
            "gap": normalized_gaps,
            "best": sample.latents[information.mutual.argmax(dim=0).cpu()].to(torch.float64),
        },
        matrix=information.normalized,
    )


def gap(sample: Sample, relation: Tensor, alone: str = ALONE) -> Tensor:
    """Return the largest less the second largest entry in each column of a relation (D, K), (K,).

    Raises:
        InputError: one row in the dlib preset, which has no second one; `alone` is what it says.
    """
    if len(relation) == 1:
        if sample.preset == "dlib":
            raise InputError(alone)
        return relation[0]
    largest = relation.topk(2, dim=0).values
    return largest[0] - largest[1]
