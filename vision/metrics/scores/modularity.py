"""Modularity (Ridgeway and Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss").

With z_j the latents and v_k the factors:

    modularity_j = 1 - sum_{k != k*} I(z_j; v_k)^2 / (I(z_j; v_k*)^2 (K - 1))
"""

import torch

from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample


@metric("modularity", order=40, chance="permuted")
def modularity(sample: Sample) -> Scores:
    """Measure whether the information in a latent is about one factor.

    modularity_j = 1 - sum_{k != k*} m_jk^2 / (m_jk*^2 (K - 1)), with m_jk = I(z_j; v_k) and k* the factor of the
    largest m_jk: 1 where latent j knows one factor, 0 where it knows all equally.

    Source: Ridgeway and Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", section 2.
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows; codes of noise score 0.5 and
    more in the dlib preset. Cost: shared with `mig`.
    Presets: dlib takes the mean over all latents, 0 for one without any mutual information: a perfect code with six
    dead latents beside its four scores 0.4, and noise counts as modular for the bias of its mutual information. (With
    the scikit-learn of its time a dead latent got a random score, which published numbers contain.) Unequal factors
    favour large ones. One factor is refused. robust takes I / H(v_k), corrected for chance, and weights latents by the
    largest of theirs; codes without information score 0.
    Failure modes: a weak test. A latent that holds two of four factors equally has 2/3, a random rotation of four
    factors about 0.7. Blind to factors that are missing or held by several latents.

    Values: `modularity`. Per latent: `modularity`, `weight`. Matrix: I / H.
    """
    information = sample.information
    relation = information.mutual if sample.preset == "dlib" else information.normalized
    squares = relation.square()
    largest = squares.amax(dim=1)
    k = relation.shape[1]
    rest = ratio(squares.sum(dim=1) - largest, largest)
    if k == 1:
        rest = rest * (float("nan") if sample.preset == "dlib" else 0.0)
    each = torch.where(largest > 0, 1 - rest / max(k - 1, 1), 0.0)
    weights = torch.ones_like(each) if sample.preset == "dlib" else relation.amax(dim=1)
    return Scores(
        score=ratio((weights * each).sum(), weights.sum()),
        per_latent={"modularity": each, "weight": ratio(weights, weights.sum())},
        matrix=information.normalized,
    )
