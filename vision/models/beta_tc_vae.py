"""beta-TCVAE: the KL divergence in three parts, each with a weight of its own.

Chen et al., Isolating Sources of Disentanglement in VAEs, NeurIPS 2018, arXiv 1802.04942.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.vision.models.base import Posterior
from darla.vision.models.perceptual import PerceptualLoss
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative

ESTIMATORS = ("weighted", "stratified")


@dataclass(frozen=True)
class BetaTCVAEConfig(VAEConfig):
    """A beta-TCVAE: its networks and its objective."""

    alpha: float = 1.0
    """Weight of the mutual information of image and code."""
    beta: float = 6.0
    """Weight of the total correlation; 6 for dSprites in the authors' runs."""
    gamma: float = 1.0
    """Weight of the divergence of each latent from its prior."""
    estimator: str = "weighted"
    """How q(z) is estimated from a batch: minibatch-`weighted` or minibatch-`stratified` sampling."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        super().__post_init__()
        require_non_negative(self, "alpha", "beta", "gamma")
        if self.estimator not in ESTIMATORS:
            raise unknown_name("estimator", self.estimator, ESTIMATORS)


def log_weights(batch: int, images: int, estimator: str, device: torch.device | None = None) -> Tensor:
    """Return log W, (batch, batch): how much component k counts in the estimate of q(z_i) over `images` images.

    `weighted`: 1 / (batch * images) throughout (equation S.4 of the paper). `stratified` (S.5): 1 / images for the
    component that z_i was drawn from, which stands on the diagonal, (images - M) / (images M) for one other, and 1 / M
    for the rest, M = batch - 1; rows sum to 1.

    Raises:
        InputError: there are fewer images than a batch holds.
    """
    if images < batch:
        raise InputError(f"q(z) over {images} images cannot be estimated from a batch of {batch}")
    if estimator == "weighted":
        return torch.full((batch, batch), -math.log(batch * images), device=device)
    if batch == 1:
        return torch.zeros(1, 1, device=device)
    others = batch - 1
    weights = torch.full((batch, batch), 1 / others, device=device)
    rows = torch.arange(batch, device=device)
    weights[rows, rows] = 1 / images
    weights[rows, (rows + 1) % batch] = (images - others) / (images * others)
    return weights.log()


def decomposition(posterior: Posterior, latents: Tensor, images: int, estimator: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return mutual information, total correlation and dimension-wise KL, in nats, scalars.

    They sum to the mean of log q(z|x) - log p(z), whatever q(z) is estimated to be.

    Args:
        posterior: q(z|x) of the batch.
        latents: one z for each image, (N, D).
        images: size of the whole training set.
        estimator: `weighted` or `stratified`.
    """
    mean, log_variance = posterior.mean, posterior.log_variance
    log_2pi = math.log(2 * math.pi)
    deviation = (latents[:, None] - mean[None]).square() * (-log_variance).exp()[None]
    each = -0.5 * (log_2pi + log_variance[None] + deviation)  # (i, k, j): log q(z_ij | x_k)
    weights = log_weights(len(latents), images, estimator, latents.device)
    given = each.diagonal(dim1=0, dim2=1).sum(0)  # log q(z_i | x_i)
    joint = (each.sum(2) + weights).logsumexp(1)
    product = (each + weights[..., None]).logsumexp(1).sum(1)
    prior = -0.5 * (log_2pi + latents.square()).sum(1)
    return (given - joint).mean(), (joint - product).mean(), (product - prior).mean()


class BetaTCVAE(VAE):
    """L = reconstruction + alpha MI + beta TC + gamma DW, minimised.

    MI = E[log q(z|x) - log q(z)], TC = E[log q(z) - sum_j log q(z_j)], DW = E[sum_j log q(z_j) - log p(z)] (equation
    2 of the paper), q(z) over the training set estimated from the batch. With all weights 1 this is a VAE whose KL is
    drawn and not integrated. `weighted` over-estimates TC by up to (D - 1) log N, with the same gradient as without
    that constant.
    """

    Config = BetaTCVAEConfig
    config: BetaTCVAEConfig

    def __init__(
        self,
        config: BetaTCVAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config, perceptual, image_shape)
        self._images: int | None = None

    def set_images(self, count: int) -> None:
        """Be told the size of the training set, N."""
        self._images = count

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return alpha MI + beta TC + gamma DW, and `kl`, `mutual_information`, `total_correlation`, `dimensions`."""
        # Where nobody has said how many images there are, the batch is all of them.
        count = max(len(latents), self._images or 0)
        information, correlation, dimensions = decomposition(posterior, latents, count, self.config.estimator)
        total = self.config.alpha * information + self.config.beta * correlation + self.config.gamma * dimensions
        return total, {
            "kl": posterior.kl(),
            "mutual_information": information,
            "total_correlation": correlation,
            "dimensions": dimensions,
        }
