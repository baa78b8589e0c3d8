"""Factorized support (Roth et al. 2023, "Disentanglement of Correlated Factors via Hausdorff Factorized Support").

With z_ai latent i of row a, and standardized codes:

    d_ij = max_{a, b} min_c (z_ai - z_ci)^2 + (z_bj - z_cj)^2, averaged over the pairs of latents i < j
"""

import torch

from darla.vision.metrics.core.registry import Requirements, metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample

ROWS = 256
"""Rows that are drawn; the comparison is cubic in them."""

_BLOCK = 4


@metric("other", order=180, ceiling=0.0, needs=Requirements(factors=False), better="lower")
def factorized_support(sample: Sample) -> Scores:
    """Measure how far combinations of latents' values are from codes that occur.

    For a pair of latents (i, j) and rows a, b: d_ij = max_{a, b} min_c (z_ai - z_ci)^2 + (z_bj - z_cj)^2, the squared
    Hausdorff distance from the product of the two latents' values to the values that occur together; the score is the
    mean over pairs. Codes are standardized.

    Source: Roth et al. 2023, "Disentanglement of Correlated Factors via Hausdorff Factorized Support", eq. 6.
    Range: from 0 up, 0 is best: what remains where factors are correlated, for correlation changes how often
    combinations occur and not whether. Chance: 0, codes of independent noise have full support as well. Cost: 256^3
    for each pair, from rows drawn by the seed.
    Presets: alike, but for latents that do not move, which robust leaves out and dlib counts as factorized.
    Failure modes: thin tails are gaps too, so normal codes score above uniform ones, and more rows score lower: compare
    at one N. Necessary and not sufficient: blind to rotations of what has round support.

    Values: `factorized_support`, `rows`. Per latent: `distance` (mean over its pairs).
    """
    n, d = len(sample), sample.latent_count
    # The name of the stream decides the rows, so it keeps its first spelling.
    rows = torch.from_numpy(sample.rng("factorised_support").permutation(n)[:ROWS]).to(sample.device)
    codes = sample.standardized[rows]
    apart = (codes[:, None] - codes[None]).square().permute(2, 0, 1)
    distances = codes.new_zeros(d, d)
    for i in range(d):
        for j in range(i + 1, d):
            # Over (a, b), the smallest over c of apart_i[a, c] + apart_j[b, c]: a (min, +) product, by blocks.
            farthest = [(some[:, None, :] + apart[j]).amin(dim=2).max() for some in torch.split(apart[i], _BLOCK)]
            distances[i, j] = distances[j, i] = torch.stack(farthest).max()
    return Scores(
        score=distances.sum() / max(d * (d - 1), 1),
        values={"rows": len(rows)},
        per_latent={"distance": distances.sum(dim=1) / max(d - 1, 1)},
    )
