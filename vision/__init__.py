"""Vision: the models (beta-VAE, DARLA's beta-VAE_DAE and others), their training, and the codes of trained encoders.

Importing this module is cheap; PyTorch is imported with the first name that is used.
"""

from typing import TYPE_CHECKING

from darla.common.lazy_exports import lazy_exports
from darla.common.llvm_order import load_triton_first

if TYPE_CHECKING:
    from darla.vision.encoders.config import SeeConfig as SeeConfig
    from darla.vision.encoders.encode import encode_frames as encode_frames
    from darla.vision.encoders.encode import encode_images as encode_images
    from darla.vision.encoders.frozen import frozen as frozen
    from darla.vision.encoders.load import build_model as build_model
    from darla.vision.encoders.load import load as load
    from darla.vision.encoders.load import load_dae as load_dae
    from darla.vision.encoders.probes import probe as probe
    from darla.vision.encoders.train_dae import train_dae as train_dae
    from darla.vision.encoders.train_encoder import train_encoder as train_encoder
    from darla.vision.models.base import VAE as VAE
    from darla.vision.models.base import LatentModel as LatentModel
    from darla.vision.models.base import Posterior as Posterior
    from darla.vision.models.base import VisionModel as VisionModel
    from darla.vision.models.beta_vae import BetaVAE as BetaVAE
    from darla.vision.models.beta_vae import BetaVAEConfig as BetaVAEConfig
    from darla.vision.models.config import LatentModelConfig as LatentModelConfig
    from darla.vision.models.dae import DAE as DAE
    from darla.vision.models.dae import DAEConfig as DAEConfig
    from darla.vision.models.darla_vae import DarlaVAE as DarlaVAE
    from darla.vision.models.darla_vae import DarlaVAEConfig as DarlaVAEConfig
    from darla.vision.models.feature_space import FeatureSpace as FeatureSpace
    from darla.vision.models.feature_space import PerceptualConfig as PerceptualConfig
    from darla.vision.models.image_model import ImageModel as ImageModel
    from darla.vision.models.registry import MODELS as MODELS
    from darla.vision.models.registry import Supervision as Supervision
    from darla.vision.models.registry import register_model as register_model
    from darla.vision.training.config import TrainingConfig as TrainingConfig
    from darla.vision.training.loop import train_model as train_model
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__)

# Optimizers are made below here, and PyTorch loads triton with the first one. The program that imports this may have
# opened a renderer of its own.
load_triton_first()
