"""The Kullback-Leibler divergence of two diagonal Gaussians."""

from torch import Tensor

from darla.vision.models.base import Posterior


def kl_per_latent(first: Posterior, second: Posterior) -> Tensor:
    """Return KL(first || second) in nats for each latent, (N, D)."""
    log_ratio = second.log_variance - first.log_variance
    squares = first.log_variance.exp() + (first.mean - second.mean).square()
    return 0.5 * (log_ratio + squares / second.log_variance.exp() - 1)


def kl_between(first: Posterior, second: Posterior) -> Tensor:
    """Return KL(first || second) in nats: the sum over latents, the mean over the N distributions."""
    return kl_per_latent(first, second).sum(dim=1).mean()
