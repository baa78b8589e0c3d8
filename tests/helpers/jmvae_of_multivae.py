"""JMVAE of multivae 1.0.3 around the networks of ours, for a test and a benchmark.

pip install --no-deps multivae==1.0.3 pythae==0.1.2
"""

from typing import Any

from torch import Tensor, nn

from darla.vision.concepts.jmvae import JMVAE


def to_multivae(model: JMVAE, images: Tensor, symbols: Tensor) -> tuple[Any, Any]:
    """Return multivae's JMVAE with the networks, weights and settings of ours, and a data set of both modalities.

    multivae adds the divergences to `beta` and `alpha` from the first epoch on if `warmup` is 1.
    """
    from multivae.data.datasets.base import MultimodalBaseDataset
    from multivae.models import JMVAE as TheirJMVAE
    from multivae.models import JMVAEConfig as TheirConfig
    from multivae.models.nn.base_architectures import BaseJointEncoder
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn.base_architectures import BaseDecoder, BaseEncoder

    latents = model.vision.latent_dim

    class Encoder(BaseEncoder):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network, self.latent_dim = network, latents

        def forward(self, x: Tensor) -> Any:
            posterior = self.network(x)
            return ModelOutput(embedding=posterior.mean, log_covariance=posterior.log_variance)

    class Joint(BaseJointEncoder):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network, self.latent_dim = network, latents

        def forward(self, x: dict[str, Tensor]) -> Any:
            posterior = self.network(x["images"], x["symbols"])
            return ModelOutput(embedding=posterior.mean, log_covariance=posterior.log_variance)

    class Decoder(BaseDecoder):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network, self.latent_dim = network, latents

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.network(z))

    class Vision(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision = model.vision

        def forward(self, x: Tensor) -> Any:
            return self.vision.encode(x)

    names = ("images", "symbols")
    config = TheirConfig(
        n_modalities=2,
        latent_dim=latents,
        input_dims={"images": tuple(images.shape[1:]), "symbols": tuple(symbols.shape[1:])},
        decoders_dist=dict.fromkeys(names, "bernoulli"),
        uses_likelihood_rescaling=True,
        rescale_factors={"images": 1.0, "symbols": model.config.symbol_weight},
        alpha=model.config.alpha,
        beta=model.config.beta,
        warmup=1,
    )
    theirs = TheirJMVAE(
        config,
        encoders={"images": Encoder(Vision()), "symbols": Encoder(model.symbol_encoder)},
        decoders={"images": Decoder(model.vision.decoder), "symbols": Decoder(model.symbol_decoder)},
        joint_encoder=Joint(model.joint_encoder),
    )
    return theirs.to(images), MultimodalBaseDataset({"images": images, "symbols": symbols})
