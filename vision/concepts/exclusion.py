"""Samples of a concept without those that show an excluded value.

A Gaussian cannot leave one value out of many: what lies between others is inside of every Gaussian that covers them.
So EXCEPT is completed where images are imagined. With q(z) what the operator's network makes of the instruction, and
p(v|z) the probability of the excluded value v, which the network of symbols reads from z as it does for images
(img2sym), samples are drawn from

    q(z) (1 - p(v|z)) / Z

by rejection: z is kept with probability 1 - p(v|z). Where v is the most probable of its attribute's values, img2sym
says that the image shows it; p(v|z) is then taken as 1. Our addition.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from darla.vision.models.base import Posterior

_DRAWS = 32
"""Samples that are drawn for each that is asked for; if fewer than one in 32 is kept, the least wrong fill up."""


def sample_without(
    posterior: Posterior, count: int, probability: Callable[[Tensor], Tensor], generator: torch.Generator
) -> Tensor:
    """Return samples of a posterior that do not show what is excluded, (count, D).

    Args:
        posterior: of one concept, (1, D).
        count: how many.
        probability: of each z, (N, D), the probability that it shows what is excluded, (N,).
        generator: of the samples, and of what is kept.
    """
    many = _DRAWS * count
    drawn = posterior.repeated(many).sample(generator)
    without = 1 - probability(drawn)
    kept = torch.rand(many, generator=generator, device=drawn.device) < without
    # Kept ones first, in the order in which they were drawn; then the others by their probability.
    order = torch.argsort(torch.where(kept, torch.full_like(without, 2.0), without), descending=True, stable=True)
    return drawn[order[:count]]
