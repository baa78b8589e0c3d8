"""Every model of vision, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.common import unknown_name
from darla.vision.models.annealed_vae import AnnealedVAE
from darla.vision.models.autoencoder import AutoEncoder
from darla.vision.models.beta_tc_vae import BetaTCVAE
from darla.vision.models.beta_vae import BetaVAE
from darla.vision.models.dae_features import DAEFeatures
from darla.vision.models.dip_vae import DIPVAE
from darla.vision.models.factor_vae import FactorVAE
from darla.vision.models.info_vae import InfoVAE
from darla.vision.models.qlae import QLAE
from darla.vision.models.vae import VAE

MODELS: Mapping[str, type[VAE]] = MappingProxyType(
    {
        "beta_vae": BetaVAE,
        "annealed_vae": AnnealedVAE,
        "factor_vae": FactorVAE,
        "beta_tc_vae": BetaTCVAE,
        "dip_vae": DIPVAE,
        "info_vae": InfoVAE,
        "qlae": QLAE,
        "auto_encoder": AutoEncoder,
    }
)
"""Every model that `train_encoder` can train, by name."""

READERS: Mapping[str, type[DAEFeatures]] = MappingProxyType({"dae_features": DAEFeatures})
"""Models that are ready once their DAE is: nothing of their own is trained."""


def find_model(name: str) -> type[VAE] | type[DAEFeatures]:
    """Return a model by name.

    Raises:
        InputError: there is no such model.
    """
    known: dict[str, type[VAE] | type[DAEFeatures]] = {**MODELS, **READERS}
    if name not in known:
        raise unknown_name("model", name, known)
    return known[name]
