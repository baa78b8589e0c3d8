"""Every model of vision, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.base import unknown_name
from darla.vision.annealed_vae import AnnealedVAE
from darla.vision.beta_tc_vae import BetaTCVAE
from darla.vision.beta_vae import BetaVAE
from darla.vision.dip_vae import DIPVAE
from darla.vision.factor_vae import FactorVAE
from darla.vision.info_vae import InfoVAE
from darla.vision.qlae import QLAE
from darla.vision.vae import VAE

MODELS: Mapping[str, type[VAE]] = MappingProxyType(
    {
        "beta_vae": BetaVAE,
        "annealed_vae": AnnealedVAE,
        "factor_vae": FactorVAE,
        "beta_tc_vae": BetaTCVAE,
        "dip_vae": DIPVAE,
        "info_vae": InfoVAE,
        "qlae": QLAE,
    }
)
"""Every model that `train_encoder` can train, by name."""


def find_model(name: str) -> type[VAE]:
    """Return a model by name.

    Raises:
        InputError: there is no such model.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    return MODELS[name]
