"""The Kullback-Leibler divergence of two diagonal Gaussians."""

from torch import Tensor

from darla.vision.models.base import Posterior


def kl_between(first: Posterior, second: Posterior) -> Tensor:
    """Return KL(first || second) in nats: the sum over latents, the mean over the N distributions."""
    return first.kl_to(second).sum(dim=1).mean()
