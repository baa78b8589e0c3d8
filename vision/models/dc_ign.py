"""Kulkarni, Whitney, Kohli & Tenenbaum, Deep Convolutional Inverse Graphics Network, NIPS 2015, arXiv 1503.03167.

Idea: in a mini-batch one known factor varies; only its latent may vary as well, and the others are pulled together.
Train: darla collect sprites --unit group --group-factors position_x position_y scale --out FRAMES
       darla see FRAMES --out RUN --preset dc-ign
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from darla.common import InputError
from darla.envs.frames.units import REST
from darla.vision.models.base import Posterior
from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig
from darla.vision.models.config import require_non_negative
from darla.vision.models.image_model import Given
from darla.vision.models.registry import Supervision, register_model


@dataclass(frozen=True)
class DCIGNConfig(BetaVAEConfig):
    """A DC-IGN: its networks and its objective."""

    invariance: float = 0.01
    """Strength c of the pull of latents that may not vary towards their mean; 1/100 in the paper."""
    parts: tuple[str, ...] = ()
    """What varies in the groups: one latent is named after each factor, in this order, and the remaining latents are
    for `rest`. Set by the frames; not given by hand."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "invariance")
        named = [part for part in self.parts if part != REST]
        if REST in self.parts and self.latent_dim <= len(named):
            raise InputError(f"latent_dim is {self.latent_dim}, but {len(named)} factors take one latent each and the"
                             " rest needs at least one")  # fmt: skip
        if self.parts and REST not in self.parts and self.latent_dim != len(named):
            raise InputError(f"latent_dim is {self.latent_dim}, but nothing varies in these groups beside the"
                             f" {len(named)} factors {', '.join(named)}: {len(named)} latents are needed")  # fmt: skip

    def for_frames(self, frames: object) -> Self:
        """Return the configuration with the parts of the frames' groups.

        Raises:
            InputError: other parts were given, or the number of latents does not fit them.
        """
        parts = tuple(getattr(frames, "group_parts", ()))
        if self.parts not in ((), parts):
            raise InputError(f"parts are {self.parts}, but in the groups of these frames vary {parts}")
        return replace(self, parts=parts)


def clamp(outputs: Tensor, active: Tensor, size: int, strength: float) -> tuple[Tensor, Tensor]:
    """Clamp inactive outputs to their mean over the group, and say what pulls them there.

    The paper replaces the gradient of an inactive output by c (z - mean). The same gradient comes from a constant in
    its place and the pull, c/2 (z - mean)^2 with a constant mean.

    Args:
        outputs: of the encoder, (N, D), those of a group of `size` images beside each other.
        active: which of them may vary, bool (N, D), the same for all images of a group.
        size: images in a group, k.
        strength: c.

    Returns:
        The clamped outputs, (N, D), and the pull, a scalar: the sum over latents, the mean over images.
    """
    groups = outputs.detach().reshape(-1, size, outputs.shape[1])
    mean = groups.mean(dim=1, keepdim=True).expand_as(groups).flatten(0, 1)
    pull = 0.5 * strength * torch.where(active, 0.0, outputs - mean).square().sum(dim=1).mean()
    return torch.where(active, outputs, mean), pull


@register_model(
    "dc_ign",
    label="DC-IGN",
    symbol="c",
    weight="invariance",
    needs=Supervision(groups=True),
    presets={"dc-ign": {"beta": 1.0, "training__batch_size": 60}},
)
class DCIGN(BetaVAE):
    """L = reconstruction + beta KL of a batch in which the latents that may not vary are clamped to their group's mean.

    In a group in which factor i varies latent i is active; in one in which the rest varies, all latents without a
    factor. Inactive latents are clamped, mean and log-variance both: reconstruction and KL send them no gradient, and
    the pull of strength c (section 3.2 of the paper; `clamp`) takes its place.
    """

    Config = DCIGNConfig
    config: DCIGNConfig
    active: Tensor
    has_prior = False
    """The KL divergence acts on a named latent only in the groups of its factor, too rarely to set its scale."""

    def setup(self) -> None:
        """Compute which latents are active in a group of each part, (parts, D)."""
        super().setup()
        parts, latents = self.config.parts, self.config.latent_dim
        named = [part for part in parts if part != REST]
        active = torch.zeros(len(parts), latents, dtype=torch.bool)
        for row, part in enumerate(parts):
            active[row, slice(len(named), None) if part == REST else named.index(part)] = True
        self.register_buffer("active", active, persistent=False)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms in nats per image, `pull` among them."""
        assert supervision is not None
        own, varied = self.encode(images), supervision["varied"]
        size = len(images) // len(varied)
        active = self.active[varied].repeat_interleave(size, dim=0)
        mean, pull_of_means = clamp(own.mean, active, size, self.config.invariance)
        log_variance, pull_of_variances = clamp(own.log_variance, active, size, self.config.invariance)
        pull = pull_of_means + pull_of_variances
        terms = self.objective(Posterior(mean, log_variance), images, generator)
        return {**terms, "loss": terms["loss"] + pull, "pull": pull}
