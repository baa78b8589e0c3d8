"""Distance to orthogonality (Rolinek et al. 2019, "Variational Autoencoders Pursue PCA Directions (by Accident)").

With J_n = U_n S_n V_n^T the decoder's Jacobian and P(V) the signed permutation that is nearest to V:

    DtO = mean_n ||V_n - P(V_n)||_F
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.information import ratio
from darla.vision.metrics.core.registry import Requirements, metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample

DRAWS = 64
"""Random rotations from which the chance level is estimated."""


def _chance(sample: Sample) -> float:
    """Return the distance of random rotations of D latents from orthogonality."""
    normal = sample.rng("distance_to_orthogonality").standard_normal((DRAWS, sample.latent_count, sample.latent_count))
    turned = np.linalg.qr(normal)[0]
    return float(np.mean([_distance(v) for v in turned]))


@metric(
    "other",
    order=200,
    chance=_chance,
    ceiling=0.0,
    needs=Requirements(factors=False, rows=("jacobians",)),
    better="lower",
)
def distance_to_orthogonality(sample: Sample) -> Scores:
    """Measure how far the directions in which latents change an image are from being orthogonal.

    J_n = U S V^T is the decoder's Jacobian (P, D) at the code of image n. Its columns are orthogonal exactly if V is a
    signed permutation; DtO = mean_n ||V_n - P(V_n)||_F with P(V) the nearest signed permutation.

    Source: Rolinek et al. 2019, "Variational Autoencoders Pursue PCA Directions (by Accident)", eq. 29; the nearest
    signed permutation is an assignment problem in |V|.
    Range: 0 to below sqrt(2 D), 0 is best. Chance: the mean over random rotations. Cost: D^3 for each row.
    Presets: dlib takes all latents. robust leaves out latents whose codes do not move, for a decoder
    ignores them in any direction. Where singular values are equal, V is not determined by J and the distance means
    nothing: `cosine`, the root mean square cosine between two different columns of J, does not have that fault.
    Failure modes: says that latents act independently on the image, not that they are the factors.

    Options: `jacobians`, (N, P, D) by row, d image / d latent; needed.

    Values: `distance_to_orthogonality`, `cosine`. Per latent: `cosine` (with the other columns), `sensitivity` (root
    mean square length of its column).

    Raises:
        InputError: jacobians are not of shape (N, P, D).
    """
    jacobians = sample.rows["jacobians"]
    if jacobians.ndim != 3 or not jacobians.shape[1] or int(sample.latents.max()) >= jacobians.shape[2]:
        raise InputError(f"jacobians must be of shape (N, P, D), not {tuple(jacobians.shape)}")
    jacobians = jacobians[:, :, sample.latents.to(jacobians.device)]
    # Only directions matter; a unit of the largest entry keeps squares in range.
    size = jacobians.abs().amax(dim=(1, 2), keepdim=True)
    unit = ratio(jacobians, size.expand_as(jacobians))
    gram = unit.transpose(1, 2) @ unit
    lengths = gram.diagonal(dim1=1, dim2=2).sqrt()
    cosines = ratio(gram, lengths[:, :, None] * lengths[:, None, :]).clamp(-1, 1)
    squares = (cosines - torch.diag_embed(cosines.diagonal(dim1=1, dim2=2))).square()
    d = squares.shape[1]
    pairs = max(d * (d - 1), 1)
    vectors = torch.linalg.eigh(gram).eigenvectors.cpu().numpy()
    return Scores(
        score=float(np.mean([_distance(v) for v in vectors])),
        values={"cosine": (squares.sum(dim=(1, 2)) / pairs).mean().sqrt()},
        per_latent={
            "cosine": (squares.sum(dim=2) / max(d - 1, 1)).mean(dim=0).sqrt(),
            "sensitivity": _root_mean_square(lengths, size[:, :, 0]),
        },
    )


def _root_mean_square(lengths: Tensor, size: Tensor) -> Tensor:
    largest = size.max().clamp(min=torch.finfo(size.dtype).tiny)
    return (lengths * (size / largest)).square().mean(dim=0).sqrt() * largest


def _distance(v: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Return the Frobenius distance of an orthogonal matrix from the nearest signed permutation."""
    rows, columns = linear_sum_assignment(-np.abs(v))
    signs = np.where(v[rows, columns] < 0, -1.0, 1.0)
    nearest = np.zeros_like(v)
    nearest[rows, columns] = signs
    return float(np.linalg.norm(v - nearest))
