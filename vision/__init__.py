"""Vision: beta-VAE, DARLA's beta-VAE_DAE, the denoising autoencoder behind it, and how they are trained.

Importing this module is cheap; PyTorch comes with the first name that is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darla.common.llvm_order import load_triton_first

if TYPE_CHECKING:
    from darla.vision.encoders.config import SeeConfig
    from darla.vision.encoders.encode import encode_frames, encode_images, load
    from darla.vision.encoders.probes import probe
    from darla.vision.encoders.train_dae import load_dae, train_dae
    from darla.vision.encoders.train_encoder import train_encoder
    from darla.vision.models.base import ImageModel, Posterior, VisionModel
    from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig
    from darla.vision.models.dae import DAE, DAEConfig
    from darla.vision.models.perceptual import PerceptualConfig, PerceptualLoss
    from darla.vision.models.registry import MODELS
    from darla.vision.training.config import TrainingConfig
    from darla.vision.training.loop import train_model

_HOMES = {
    "models.base": ("ImageModel", "Posterior", "VisionModel"),
    "models.beta_vae": ("BetaVAE", "BetaVAEConfig"),
    "models.dae": ("DAE", "DAEConfig"),
    "encoders.train_dae": ("load_dae", "train_dae"),
    "encoders.train_encoder": ("train_encoder",),
    "models.registry": ("MODELS",),
    "encoders.encode": ("encode_frames", "encode_images", "load"),
    "models.perceptual": ("PerceptualConfig", "PerceptualLoss"),
    "encoders.probes": ("probe",),
    "encoders.config": ("SeeConfig",),
    "training.loop": ("train_model",),
    "training.config": ("TrainingConfig",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DAE",
    "MODELS",
    "BetaVAE",
    "BetaVAEConfig",
    "DAEConfig",
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
