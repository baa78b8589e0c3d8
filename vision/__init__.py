"""Vision: beta-VAE, DARLA's beta-VAE_DAE, the denoising autoencoder behind it, and how they are trained.

Importing this module is cheap; PyTorch comes with the first name that is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darla.base.llvm_order import load_triton_first

if TYPE_CHECKING:
    from darla.vision.base import ImageModel, Posterior, VisionModel
    from darla.vision.beta_vae import BetaVAE, BetaVAEConfig
    from darla.vision.dae import DAE, DAEConfig
    from darla.vision.dae_training import load_dae, train_dae
    from darla.vision.encoder import train_encoder
    from darla.vision.encoding import encode_frames, encode_images, load
    from darla.vision.models import MODELS
    from darla.vision.perceptual import PerceptualConfig, PerceptualLoss
    from darla.vision.probes import probe
    from darla.vision.see_config import SeeConfig
    from darla.vision.training import DivergenceError, train_model
    from darla.vision.training_config import TrainingConfig

_HOMES = {
    "base": ("ImageModel", "Posterior", "VisionModel"),
    "beta_vae": ("BetaVAE", "BetaVAEConfig"),
    "dae": ("DAE", "DAEConfig"),
    "dae_training": ("load_dae", "train_dae"),
    "encoder": ("train_encoder",),
    "models": ("MODELS",),
    "encoding": ("encode_frames", "encode_images", "load"),
    "perceptual": ("PerceptualConfig", "PerceptualLoss"),
    "probes": ("probe",),
    "see_config": ("SeeConfig",),
    "training": ("DivergenceError", "train_model"),
    "training_config": ("TrainingConfig",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DAE",
    "MODELS",
    "BetaVAE",
    "BetaVAEConfig",
    "DAEConfig",
    "DivergenceError",
    "ImageModel",
    "PerceptualConfig",
    "PerceptualLoss",
    "Posterior",
    "SeeConfig",
    "TrainingConfig",
    "VisionModel",
    "encode_frames",
    "encode_images",
    "load",
    "load_dae",
    "probe",
    "train_dae",
    "train_encoder",
    "train_model",
]

# Optimisers are made below here, and PyTorch loads triton with the first one. The program that imports this may have
# opened a renderer of its own.
load_triton_first()


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
