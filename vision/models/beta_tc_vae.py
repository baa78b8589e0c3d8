"""Chen et al., Isolating Sources of Disentanglement in VAEs, NeurIPS 2018, arXiv 1802.04942.

Idea: of the three parts of the KL divergence, only the total correlation gets a high weight.
Train: darla see FRAMES --out RUN --preset beta-tc
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.vision.models.base import VAE, Posterior
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.reconstruction import Terms
from darla.vision.models.registry import register_model

ESTIMATORS = ("weighted", "stratified")


@dataclass(frozen=True)
class BetaTCVAEConfig(LatentModelConfig):
    """A β-TCVAE: its networks and its objective."""

    alpha: float = 1.0
    """Weight of the mutual information of image and code."""
    beta: float = 6.0
    """Weight of the total correlation; 6 for dSprites in the authors' runs."""
    gamma: float = 1.0
    """Weight of the dimension-wise KL divergence of the latents from their prior."""
    estimator: str = "weighted"
    """How q(z) is estimated from a batch: minibatch-`weighted` or minibatch-`stratified` sampling."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "alpha", "beta", "gamma")
        if self.estimator not in ESTIMATORS:
            raise unknown_name("estimator", self.estimator, ESTIMATORS)


def log_importance_weights(
    batch_size: int, dataset_size: int, estimator: str, device: torch.device | None = None
) -> Tensor:
    """Return log W, (B, B): the weight of component q(z|x_k) in the estimate of q(z_i).

    With B the batch size, N the dataset size and M = B - 1:

    - `weighted`: 1 / (B N) throughout (equation S.4 of the paper);
    - `stratified` (equation S.5): 1 / N for the component that z_i was drawn from, k = i; (N - M) / (N M) for one
      other; 1 / M for the rest. Rows sum to 1.

    Raises:
        InputError: the dataset is smaller than the batch.
    """
    if dataset_size < batch_size:
        raise InputError(f"q(z) over {dataset_size} images cannot be estimated from a batch of {batch_size}")
    if estimator == "weighted":
        return torch.full((batch_size, batch_size), -math.log(batch_size * dataset_size), device=device)
    if batch_size == 1:
        return torch.zeros(1, 1, device=device)
    others = batch_size - 1
    weights = torch.full((batch_size, batch_size), 1 / others, device=device)
    rows = torch.arange(batch_size, device=device)
    # The authors' code strides down a column here instead of the diagonal (rtqichen/beta-tcvae, pull request 1).
    weights[rows, rows] = 1 / dataset_size
    weights[rows, (rows + 1) % batch_size] = (dataset_size - others) / (dataset_size * others)
    return weights.log()


def decompose_kl(
    posterior: Posterior, latents: Tensor, dataset_size: int, estimator: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Return mutual information, total correlation and dimension-wise KL, in nats, scalars (equation 2).

    They sum to the mean of log q(z|x) - log p(z), whatever the estimate of q(z).

    Args:
        posterior: q(z|x) of the batch.
        latents: one z for each image, (B, D).
        dataset_size: N, number of training images.
        estimator: `weighted` or `stratified`.
    """
    mean, log_variance = posterior.mean, posterior.log_variance
    log_2pi = math.log(2 * math.pi)
    squared_distance = (latents[:, None] - mean[None]).square() * (-log_variance).exp()[None]
    log_qzj_given_xk = -0.5 * (log_2pi + log_variance[None] + squared_distance)  # (i, k, j): log q(z_ij | x_k)
    log_weights = log_importance_weights(len(latents), dataset_size, estimator, latents.device)
    log_qz_given_x = log_qzj_given_xk.diagonal(dim1=0, dim2=1).sum(0)  # log q(z_i | x_i)
    log_qz = (log_qzj_given_xk.sum(2) + log_weights).logsumexp(1)  # equations S.4, S.5
    log_prod_qzj = (log_qzj_given_xk + log_weights[..., None]).logsumexp(1).sum(1)
    log_pz = -0.5 * (log_2pi + latents.square()).sum(1)
    mutual_information = (log_qz_given_x - log_qz).mean()
    total_correlation = (log_qz - log_prod_qzj).mean()
    dimension_wise_kl = (log_prod_qzj - log_pz).mean()
    return mutual_information, total_correlation, dimension_wise_kl


@register_model("beta_tc_vae", label="β-TCVAE", symbol="β", weight="beta", presets={"beta-tc": {}})
class BetaTCVAE(VAE):
    """L = reconstruction + alpha MI + beta TC + gamma DW, minimized (equation 4 of the paper, negated).

    MI = E[log q(z|x) - log q(z)], TC = E[log q(z) - sum_j log q(z_j)], DW = E[sum_j log q(z_j) - log p(z)] (equation
    2), q(z) over the training set estimated from the batch. With all weights 1 this is a VAE whose KL is a sample
    average instead of the integral. `weighted` overestimates TC by up to (D - 1) log N, a constant without gradient.
    tests/vision/test_beta_tc_vae.py checks the parts against closed forms.
    """

    Config = BetaTCVAEConfig
    config: BetaTCVAEConfig
    _dataset_size = 0

    def set_dataset_size(self, count: int) -> None:
        """Receive the number of training images, N."""
        self._dataset_size = count

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return alpha MI + beta TC + gamma DW; `kl` (integrated) and the three parts before their weights."""
        # Without a dataset size (a model used outside the training loop) the batch is the dataset.
        dataset_size = max(len(latents), self._dataset_size)
        mutual_information, total_correlation, dimension_wise_kl = decompose_kl(
            posterior, latents, dataset_size, self.config.estimator
        )
        penalty = (
            self.config.alpha * mutual_information
            + self.config.beta * total_correlation
            + self.config.gamma * dimension_wise_kl
        )
        return penalty, {
            "kl": posterior.kl(),
            "mutual_information": mutual_information,
            "total_correlation": total_correlation,
            "dimension_wise_kl": dimension_wise_kl,
        }
