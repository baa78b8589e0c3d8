"""UDR (Duan et al. 2020, "Unsupervised Model Selection for Variational Disentangled Representation Learning").

With R_ab (D, D) relating the latents of models a and b:

    UDR_ab = (mean over columns of max^2 / sum + mean over rows of max^2 / sum) / 2
"""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import Requirements, metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import ACTIVE, Sample
from darla.vision.metrics.scores.mcc import ranks

KL = 0.01
"""Nats that a latent's posterior must differ from the prior by to count."""
PENALTY = 0.1
"""The Lasso's alpha."""
METHODS = ("lasso", "spearman")


@metric("other", order=210, needs=Requirements(factors=False, models=True), reduces=False)
def udr(sample: Sample, *, kls: Any = None, method: str | None = None) -> Scores:
    """Measure whether models of the same data hold the same latents, up to order and sign.

    R_ab (D, D) relates the latents of models a and b: |coefficients| of a Lasso from a to b, or |Spearman|; latents
    without information are struck out. UDR_ab = (mean over columns of max^2 / sum + the same over rows) / 2; a model's
    score is the median of UDR_ab over the others.

    Source: Duan et al. 2020, "Unsupervised Model Selection for Variational Disentangled Representation Learning", eq. 2
    and 3. Call it with the codes of M models on the same rows, (M, N, D).
    Range: 0 to 1 (more by a little for the Lasso, which is not normalized). Chance: 0. Cost: M^2 fits.
    Presets: dlib takes the Lasso (alpha 0.1) and the latents with a KL above 0.01 nats, all of them where no KL is
    given; a model without such a latent is refused. robust takes rank correlations, which a monotone map does not
    change, and without KLs the latents that move more than 0.005 of the model's most; a model without any scores 0.
    Failure modes: compares with the population: among rotated models a good one scores low. Only for one D.

    Options:
        kls: mean KL of each latent's posterior from the prior in nats, (M, D).
        method: `"lasso"` or `"spearman"`; the preset's if None.

    Values: `udr` (mean over models), `model 0`, `model 1`, ... Per latent: `agreement` of the first model's latents,
    the mean over other models of the largest entry.

    Raises:
        InputError: kls are not of shape (M, D), or an unknown method.
    """
    codes = sample.rows["models"]
    count, d = codes.shape[1], codes.shape[2]
    chosen = method or ("lasso" if sample.preset == "dlib" else "spearman")
    if chosen not in METHODS:
        raise unknown_name("method", chosen, METHODS)
    models = [Sample(codes[:, m], seed=sample.seed, preset="robust") for m in range(count)]
    inputs = [model.standardized for model in models]
    if kls is not None:
        given = np.asarray(kls.detach().cpu() if isinstance(kls, Tensor) else kls)
        if given.shape != (count, d) or given.dtype.kind not in "biuf" or not np.isfinite(given).all():
            raise InputError(f"kls must be finite numbers of shape ({count}, {d}), not of shape {given.shape}")
        used = [torch.from_numpy(given[m] > KL).to(codes.device) for m in range(count)]
    elif sample.preset == "robust":
        used = [model.deviations > ACTIVE for model in models]
    else:
        used = [torch.ones(d, dtype=torch.bool, device=codes.device) for _ in range(count)]
    if sample.preset == "dlib":
        inputs = [z * mask for z, mask in zip(inputs, used, strict=True)]
    agreement = torch.zeros(count, count, dtype=torch.float64)
    first = torch.zeros(d, dtype=torch.float64)
    for a in range(count):
        for b in range(count):
            if a != b:
                relation = _relation(inputs[a], inputs[b], chosen)
                agreement[a, b] = _strength(relation[used[a]][:, used[b]], sample.preset)
                if a == 0 and bool(used[b].any()):
                    first += (relation[:, used[b]].amax(dim=1) * used[0]).cpu() / (count - 1)
    scores = [float(np.median(np.delete(agreement[:, b].numpy(), b))) for b in range(count)]
    return Scores(
        score=float(np.mean(scores)),
        values={f"model {m}": score for m, score in enumerate(scores)},
        per_latent={"agreement": first},
    )


def _relation(a: Tensor, b: Tensor, method: str) -> Tensor:
    """Return how latents of a relate to those of b, (D, D)."""
    if method == "lasso":
        model = Lasso(alpha=PENALTY)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(a.cpu().numpy(), b.cpu().numpy())
        weights = np.abs(model.coef_).reshape(b.shape[1], a.shape[1]).T
        return torch.from_numpy(np.ascontiguousarray(weights)).to(a)
    left, right = ranks(a), ranks(b)
    left, right = left - left.mean(dim=0), right - right.mean(dim=0)
    return ratio((left.T @ right).abs(), left.norm(dim=0)[:, None] * right.norm(dim=0))


def _strength(relation: Tensor, preset: str) -> float:
    """Return the mean of max^2 / sum over columns and over rows, 0 for a column or row of zeros."""
    if not relation.numel():
        if preset == "dlib":
            raise InputError("kls must exceed 0.01 nats for at least one latent of each model in the dlib preset")
        return 0.0
    sides = (ratio(relation.amax(dim=axis).square(), relation.sum(dim=axis)).mean() for axis in (0, 1))
    return float(sum(sides)) / 2
