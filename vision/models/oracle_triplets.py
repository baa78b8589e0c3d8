"""Karaletsos, Belongie & Rätsch, Bayesian Representation Learning with Oracle Constraints, ICLR 2016, arXiv 1506.05011.

Idea: an oracle answers "is image i more like j than like l in this respect?", and the latents of that respect agree.
Train: darla see FRAMES --out RUN --preset oracle-triplets    (frames with factors)
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from darla.common import InputError
from darla.vision.models.base import Posterior
from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig
from darla.vision.models.config import require_non_negative
from darla.vision.models.image_model import Given
from darla.vision.models.registry import Supervision, register_model


@dataclass(frozen=True)
class OracleTripletsConfig(BetaVAEConfig):
    """A VAE with oracle triplets: its networks and its objective."""

    triplet_weight: float = 1.0
    """Weight of the log-likelihood of the oracle's answers; 1 is the joint likelihood of images and answers."""
    latents_per_factor: int = 1
    """Latents that a question about one factor is about: the mask of question q has the latents from
    q latents_per_factor on. The other latents are free."""
    factors: tuple[str, ...] = ()
    """What the oracle is asked about. Set by the frames, which have these factors; not given by hand."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "triplet_weight")
        if self.latents_per_factor < 1:
            raise InputError(f"latents_per_factor must be at least 1, not {self.latents_per_factor}")
        if len(self.factors) * self.latents_per_factor > self.latent_dim:
            raise InputError(
                f"latent_dim is {self.latent_dim}, but {len(self.factors)} factors with {self.latents_per_factor} "
                f"latents each need {len(self.factors) * self.latents_per_factor}"
            )

    def for_frames(self, frames: object) -> Self:
        """Return the configuration with the factors of the frames.

        Raises:
            InputError: other factors were given, or there are too few latents for them.
        """
        factors = tuple(getattr(frames, "contexts", ()))
        if self.factors not in ((), factors):
            raise InputError(f"factors are {self.factors}, but these frames have {factors}")
        return replace(self, factors=factors)


@dataclass(frozen=True)
class Triplets:
    """T questions and their answers: images i and j are more alike in a factor than images i and l."""

    i: Tensor
    """Rows of the batch, int64 (T,)."""
    j: Tensor
    l: Tensor  # noqa: E741  (the letter of the paper)
    question: Tensor
    """Column of the factor, int64 (T,)."""
    answered: Tensor
    """1 where the oracle has an answer, 0 for a tie, float (T,). Ties are kept: to leave them out, a GPU would have to
    wait for their number."""


def ask_oracle(labels: Tensor, generator: torch.Generator | None = None) -> Triplets:
    """Ask about three images of a batch at a time, each time about a random factor.

    Args:
        labels: factors behind the images, (N, K).
        generator: of the images and of the questions.
    """
    count, device = len(labels) // 3, labels.device
    order = torch.rand(len(labels), generator=generator, device=device).argsort()
    i, first, second = order[: 3 * count].reshape(3, count)
    question = torch.randint(labels.shape[1], (count,), generator=generator, device=device)
    value = [labels[rows].gather(1, question[:, None])[:, 0] for rows in (i, first, second)]
    near, far = (value[0] - value[1]).abs(), (value[0] - value[2]).abs()
    swap = near > far
    j, other = torch.where(swap, second, first), torch.where(swap, first, second)
    return Triplets(i, j, other, question, (near != far).float())


def divergence(first: Posterior, second: Posterior, mask: Tensor) -> Tensor:
    """Return the mean of both KL divergences over the masked latents, in nats, (T,).

    Args:
        first: T posteriors.
        second: T posteriors.
        mask: 1 for each latent that a question is about, (T, D).
    """
    return 0.5 * ((first.kl_to(second) + second.kl_to(first)) * mask).sum(dim=1)


@register_model(
    "oracle_triplets",
    label="Oracle triplets",
    symbol="w",
    weight="triplet_weight",
    needs=Supervision(labels=True),
    presets={"oracle-triplets": {"beta": 1.0}},
)
class OracleTriplets(BetaVAE):
    """L = reconstruction + beta KL(q(z|x) || N(0, I)) - w/N sum_t log p(t), minimized, for N images and T answers.

    p(t) = exp(-D_ij) / (exp(-D_ij) + exp(-D_il)), with D the divergence of two posteriors over the latents that the
    question is about (section 3 of the paper). Which latents those are is fixed here; the paper can learn it.
    """

    Config = OracleTripletsConfig
    config: OracleTripletsConfig

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms; `triplet` is -log p(t) in nats per answer, `agreement` how often D agrees."""
        assert supervision is not None
        posterior = self.encode(images)
        terms = self.objective(posterior, images, generator)
        triplets = ask_oracle(supervision["labels"], generator)
        odds, answered = self.log_odds(posterior, triplets), triplets.answered
        surprise = (answered * functional.softplus(-odds)).sum()
        answers = answered.sum().clamp(min=1)
        return {
            **terms,
            "loss": terms["loss"] + self.config.triplet_weight * surprise / len(images),
            "triplet": surprise / answers,
            "agreement": (answered * (odds > 0)).sum() / answers,
        }

    def log_odds(self, posterior: Posterior, triplets: Triplets) -> Tensor:
        """Return log p(t) - log(1 - p(t)) = D_il - D_ij for each answer, (T,)."""
        size, latents = self.config.latents_per_factor, torch.arange(self.latent_dim, device=posterior.mean.device)
        mask = (latents // size == triplets.question[:, None]).to(posterior.mean.dtype)
        i, j, other = (posterior.rows(rows) for rows in (triplets.i, triplets.j, triplets.l))
        return divergence(i, other, mask) - divergence(i, j, mask)
