"""MIG-sup (Li et al. 2020, "Progressive Learning and Disentanglement of Hierarchical Representations").

With z_j the latents and v_k the factors:

    MIG-sup = mean_j (NI_j(1) - NI_j(2)),    NI_jk = I(z_j; v_k) / H(v_k)
"""

from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.scores.mig import gap


@metric("modularity", order=20)
def mig_sup(sample: Sample) -> Scores:
    """Measure by how much the factor that a latent knows best is ahead of the next one.

    MIG-sup = mean_j (NI_j(1) - NI_j(2)), NI_jk = I(z_j; v_k) / H(v_k), where (1) and (2) are the two factors with
    the largest NI_jk of latent j.

    Source: Li et al. 2020, "Progressive Learning and Disentanglement of Hierarchical Representations", eq. 10.
    Range: 0 to 1. Chance: 0. Cost: shared with `mig`.
    Presets: dlib takes 20 bins of equal width, the mean over all latents, and H(z_j) in place of H(v_k), as the
    collection of Zaidi et al. 2020 does, so that every noisy latent lowers a perfect code and a dead one makes it 0/0;
    one factor is refused. robust takes mutual
    information corrected for chance and the mean over the latents that hold any, and 0 for the next factor where there
    is one.
    Failure modes: silent about factors that no latent holds, and about factors held twice: read `mig` beside it. A
    latent that holds a little of one factor only lowers the mean by that little.

    Values: `mig_sup`. Per latent: `gap`, `informative`. Matrix: NI.
    """
    information = sample.information
    relation = information.normalized
    if sample.preset == "dlib":
        relation = information.mutual / information.latents[:, None]
    gaps = gap(sample, relation.T, "factors must have at least 2 columns in the dlib preset, not 1")
    held = relation.amax(dim=1) > 0
    counted = held if sample.preset == "robust" else held | True
    score = gaps[counted].mean() if bool(counted.any()) else 0.0
    return Scores(score=score, per_latent={"gap": gaps, "informative": held}, matrix=relation)
