"""Higgins et al., DARLA: Improving Zero-Shot Transfer in Reinforcement Learning, ICML 2017, arXiv 1707.08475.

Idea: a beta-VAE that compares images by the features of a denoising autoencoder, so that small objects are kept.
Train: darla see FRAMES --out RUN    (preset darla, our form; --preset darla-paper for the paper's)
"""

from dataclasses import dataclass

from darla.common import InputError
from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig
from darla.vision.models.registry import register_model

# The paper's form: the decoder draws an image, and J, the bottleneck of the DAE, reads it.
PAPER = {
    "loss": "perceptual",
    "layer": "bottleneck",
    "normalization": "whiten",
    "target_nats": 600.0,
    "beta": 1.0,
    "beta_warmup_fraction": 0.25,
}
# Our form: the decoder predicts the bottleneck, and the DAE has learned to repair hues as well as masked rectangles, so
# that its features describe objects rather than the colors of rooms (docs/results.md compares them).
OURS = {**PAPER, "loss": "features", "hue_prob": 1.0}


@dataclass(frozen=True)
class DarlaVAEConfig(BetaVAEConfig):
    """DARLA's β-VAE_DAE: its networks and its objective."""

    loss: str = "features"
    """`features` (our form), `perceptual` (the paper's) or `mixed` (the paper's plus pixels)."""
    beta_warmup_fraction: float = 0.25
    """Fraction of the training in which β rises linearly from 0; without it the code collapses at the start."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        super().__post_init__()
        if not self.needs_dae:
            raise InputError(f"loss {self.loss!r} uses no DAE; model 'beta_vae' takes it")


@register_model(
    "darla_vae",
    label="β-VAE_DAE",
    symbol="β",
    weight="beta",
    presets={"darla": OURS, "darla-paper": PAPER},
)
class DarlaVAE(BetaVAE):
    """L = 1/2 ||J(x_hat) - J(x)||^2 + beta KL(q(z|x) || N(0, I)), minimized (equation 2 of the paper, negated).

    J is a layer of a frozen denoising autoencoder (dae.py), normalized over D_U (feature_space.py). Two forms, in
    reconstruction.py:

        the paper's, loss="perceptual" (PerceptualLoss)   ours, loss="features" (FeatureLoss)
        x_hat = decoder(z)       an image                 y_hat = decoder(z)       features
        1/2 ||J(x_hat) - J(x)||^2                         1/2 ||y_hat - J(x)||^2

    Both compare the same features. Ours is minimized further, in a third of the time (docs/results.md): the gradient
    does not pass through the DAE, and a small fully connected decoder replaces the deconvolutions. Images are drawn
    from y_hat by the DAE's own decoder; those of the paper's form are passed through the DAE for display, because
    training leaves undetermined in x_hat whatever J ignores.
    """

    Config = DarlaVAEConfig
    config: DarlaVAEConfig
