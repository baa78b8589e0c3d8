"""MED (Cao et al. 2022, "An Empirical Study on Disentanglement of Negative-free Contrastive Learning").

With R_jk = I(z_j; v_k) / sum_j I(z_j; v_k) and rho_j = sum_k R_jk / sum R:

    MED = sum_j rho_j (1 - H_K(R_j. / sum_k R_jk))
"""

import math

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample


@metric("modularity", order=50, chance="permuted")
def med(sample: Sample, *, top_k: int | None = None) -> Scores:
    """Measure whether each latent is important to one factor, with mutual information for importance.

    R_jk = I(z_j; v_k) / sum_j I(z_j; v_k); D_j = 1 - H_K(R_j. / sum_k R_jk), H_K the entropy to the base K;
    MED = sum_j rho_j D_j with rho_j = sum_k R_jk / sum_jk R_jk.

    Source: Cao et al. 2022, "An Empirical Study on Disentanglement of Negative-free Contrastive Learning", section 4;
    DCI's disentanglement (Eastwood and Williams 2018) without a model to fit, the same number at every run.
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows. Cost: shared with `mig`.
    Presets: dlib takes 20 bins of equal width and plug-in mutual information, whose bias on latents of noise lowers D.
    robust takes mutual information corrected for chance; codes without any score 0, one factor that is known scores 1.
    Failure modes: blind to factors that are weakly held, for columns of R sum to 1; read `dci`'s informativeness or
    `r2` beside it.

    Options:
        top_k: keep, for each factor, the `top_k` most disentangled of the latents that are most important to it, as the
            paper does for codes of hundreds of dimensions; all if None.

    Values: `med`, `completeness` (the same over columns, to the base D). Per factor: `completeness`. Per latent:
    `disentanglement`, `weight`, `kept`. Matrix: R.

    Raises:
        InputError: top_k is not a whole number from 1 up.
    """
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise InputError(f"top_k must be a whole number from 1 up, not {top_k!r}")
    mutual = sample.information.mutual
    relation = ratio(mutual, mutual.sum(dim=0)) if sample.preset == "robust" else mutual / mutual.sum(dim=0)
    each = concentration(relation)
    kept = torch.ones_like(each) if top_k is None else _most_disentangled(relation, each, top_k)
    weights = ratio(kept * relation.sum(dim=1), (kept * relation.sum(dim=1)).sum())
    columns = concentration(relation.T)
    return Scores(
        score=(weights * each).sum(),
        values={"completeness": columns.mean()},
        per_factor={"completeness": columns},
        per_latent={"disentanglement": each, "weight": weights, "kept": kept},
        matrix=relation,
    )


def concentration(relation: Tensor) -> Tensor:
    """Return 1 - entropy of each row of a relation (D, K) that is not negative, to the base K: (D,).

    1 for a row with a single entry, 0 for an even one and for one of zeros; 1 for K = 1 where the entry is not 0.
    """
    total = relation.sum(dim=1)
    if relation.shape[1] == 1:
        return (total > 0).to(relation.dtype)
    shares = ratio(relation, total[:, None].expand_as(relation))
    entropies = -torch.special.xlogy(shares, shares).sum(dim=1) / math.log(relation.shape[1])
    return torch.where(total > 0, 1 - entropies, total)


def _most_disentangled(relation: Tensor, each: Tensor, top_k: int) -> Tensor:
    kept = torch.zeros_like(each)
    owner = relation.argmax(dim=1)
    for k in range(relation.shape[1]):
        mine = torch.nonzero((owner == k) & (relation.sum(dim=1) > 0))[:, 0]
        best = each[mine].argsort(descending=True, stable=True)[:top_k]
        kept[mine[best]] = 1.0
    return kept
