"""Active units (Burda et al. 2016, "Importance Weighted Autoencoders"), how many latents are used.

With z_j the latents and x the images:

    AU = #{j: Var_x E[z_j | x] > 0.01}
"""

import torch

from darla.vision.metrics.core.registry import Requirements, metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample

VARIANCE = 0.01
"""Variance of a used latent's posterior mean, in units of the prior's (Burda et al. 2016)."""


@metric(
    "other",
    order=190,
    ceiling=lambda sample: float(sample.latent_count),
    needs=Requirements(factors=False),
    reduces=False,
)
def active_units(sample: Sample) -> Scores:
    """Count the latents that move.

    AU = #{j: Var_x E[z_j | x] > 0.01}; effective_rank = exp(H(lambda / sum lambda)) of the codes' covariance
    eigenvalues lambda, the number of directions that the codes move in.

    Source: Burda et al. 2016, "Importance Weighted Autoencoders", appendix C; Roy and Vetterli 2007 for the rank.
    Range: 0 to D. Chance: 0. Ceiling: D, which is no aim in itself. Cost: a covariance.
    Presets: dlib takes the paper's threshold, which supposes a prior of unit variance. robust counts latents by the
    relative threshold that all its scores share, and so counts the same for codes in other units.
    Failure modes: says nothing of what a latent holds.

    Values: `active_units`, `effective_rank`, `share` (of D). Per latent: `variance`, `used`.
    """
    variance = (sample.codes - sample.codes.mean(dim=0)).square().mean(dim=0)
    used = variance > VARIANCE if sample.preset == "dlib" else sample.active
    size = sample.codes.abs().amax()
    unit = sample.codes / size if size > 0 else sample.codes
    unit = unit - unit.mean(dim=0)
    spectrum = torch.linalg.svdvals(unit).square()
    shares = spectrum / spectrum.sum() if spectrum.sum() > 0 else spectrum
    count = used.sum()
    rank = torch.special.entr(shares).sum().exp() if spectrum.sum() > 0 else 0.0
    return Scores(
        score=count,
        values={"effective_rank": rank, "share": count / sample.latent_count},
        per_latent={"variance": variance, "used": used},
    )
