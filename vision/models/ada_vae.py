"""Locatello et al., Weakly-Supervised Disentanglement Without Compromises, ICML 2020, arXiv 2002.02886.

Idea: the two images of a pair share the latents in which their posteriors differ least; those are averaged.
Train: darla collect sprites --unit pair --out FRAMES
       darla see FRAMES --out RUN --preset ada-gvae    (or --preset ada-ml-vae)
"""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from darla.vision.models.base import Posterior
from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig
from darla.vision.models.image_model import Given
from darla.vision.models.registry import Supervision, register_model


@dataclass(frozen=True)
class AdaVAEConfig(BetaVAEConfig):
    """An Ada-GVAE or Ada-ML-VAE: its networks and its objective."""

    symmetric: bool = False
    """Compare posteriors by the sum of both KL divergences instead of KL(q(z|x1) || q(z|x2)), so that the order of a
    pair does not matter; the paper takes one, some later code the sum."""


def pair_of(posterior: Posterior) -> tuple[Posterior, Posterior]:
    """Return the posteriors of the first and of the second images of the pairs in a batch, (N / 2, D) each."""
    return posterior.rows(slice(0, None, 2)), posterior.rows(slice(1, None, 2))


def batch_of(first: Posterior, second: Posterior) -> Posterior:
    """Return the posteriors of both images of pairs in the order of the batch, (N, D); the inverse of `pair_of`."""
    both = (
        torch.stack(parts, dim=1).flatten(0, 1)
        for parts in ((first.mean, second.mean), (first.log_variance, second.log_variance))
    )
    return Posterior(*both)


def average(first: Posterior, second: Posterior) -> Posterior:
    """Return the Gaussian with the mean of both means and of both variances (Hosoya 2019, arXiv 1809.02383)."""
    mean = 0.5 * (first.mean + second.mean)
    return Posterior(mean, torch.logaddexp(first.log_variance, second.log_variance) - math.log(2))


def product(first: Posterior, second: Posterior) -> Posterior:
    """Return the normalized product of both Gaussians (Bouchacourt et al. 2018, arXiv 1705.08841).

    Precisions add up: 1 / var = 1 / var_1 + 1 / var_2. Public code often has twice this variance.
    """
    log_variance = -torch.logaddexp(-first.log_variance, -second.log_variance)
    first_share, second_share = ((log_variance - each.log_variance).exp() for each in (first, second))
    return Posterior(first_share * first.mean + second_share * second.mean, log_variance)


class PairVAE(BetaVAE):
    """A β-VAE in which the images of a pair have one posterior in the latents that they share.

    Subclasses say which latents those are, and how two posteriors become one.
    """

    def infer(self, images: Tensor, supervision: Given | None) -> Posterior:
        """Return q~(z|x) for the images of pairs, (N, D)."""
        first, second = pair_of(self.encode(images))
        shared, common = self.shared(first, second), self.combine(first, second)
        return batch_of(*(_where(shared, common, own) for own in (first, second)))

    @abstractmethod
    def shared(self, first: Posterior, second: Posterior) -> Tensor:
        """Return which latents the images of each pair share, bool, as (N / 2, D) or broadcast to it."""

    def combine(self, first: Posterior, second: Posterior) -> Posterior:
        """Return the posterior of latents that both images share, (N / 2, D); here the average of both."""
        return average(first, second)


@register_model(
    "ada_gvae",
    label="Ada-GVAE",
    symbol="β",
    weight="beta",
    needs=Supervision(pairs=True),
    presets={"ada-gvae": {"beta": 1.0}},
)
class AdaGVAE(PairVAE):
    """L = reconstruction + beta KL(q~(z|x) || N(0, I)) of both images of a pair, minimized (equation 6 of the paper).

    q~ is q but in the latents that the pair shares: there it is the average of both posteriors. A latent is shared if
    its delta_j = KL(q(z_j|x1) || q(z_j|x2)) is below tau = (max_j delta_j + min_j delta_j) / 2 of that pair. Where all
    deltas are equal, as for two equal images, none is below tau and nothing is averaged.
    """

    Config = AdaVAEConfig
    config: AdaVAEConfig

    def shared(self, first: Posterior, second: Posterior) -> Tensor:
        """Return which latents the images of each pair share, bool (N / 2, D); no gradient passes through it."""
        with torch.no_grad():
            delta = first.kl_to(second)
            if self.config.symmetric:
                delta = delta + second.kl_to(first)
            threshold = 0.5 * (delta.amax(1, keepdim=True) + delta.amin(1, keepdim=True))
            return delta < threshold


@register_model(
    "ada_ml_vae",
    label="Ada-ML-VAE",
    symbol="β",
    weight="beta",
    needs=Supervision(pairs=True),
    presets={"ada-ml-vae": {"beta": 1.0}},
)
class AdaMLVAE(AdaGVAE):
    """Ada-GVAE with the product of both posteriors in the shared latents instead of their average."""

    def combine(self, first: Posterior, second: Posterior) -> Posterior:
        """Return the posterior of latents that both images share, (N / 2, D)."""
        return product(first, second)


def _where(choose: Tensor, first: Posterior, second: Posterior) -> Posterior:
    mean = torch.where(choose, first.mean, second.mean)
    return Posterior(mean, torch.where(choose, first.log_variance, second.log_variance))
