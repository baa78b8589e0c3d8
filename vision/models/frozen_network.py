"""Any `torch.nn.Module`, or any network of timm, as a frozen encoder: its outputs are the codes.

    darla see FRAMES --encoder my_nets:pooled --out RUN          (a function, class or module of one's own)
    darla see FRAMES --encoder timm:resnet18 --vae.weights resnet18.safetensors --out RUN

Nothing is trained: D_U gives the normalizer of the codes and the probes, as for every other encoder. The network is run
as it is, in float32 and evaluation mode. Its weights are in the artefact; its structure is made again from `source`
whenever the encoder is loaded. Codes of eight fixed images are stored beside the weights, so that a network that has
become another one since is noticed.
"""

import copy
import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import ArtefactError, InputError, unknown_name, user_code_error
from darla.common.files import hash_tensors, load_tensors, sha256
from darla.common.registry import import_by_path
from darla.vision.models.base import DeterministicPosterior, Posterior, VisionModel
from darla.vision.models.config import VisionModelConfig
from darla.vision.models.feature_space import FeatureSpace, PerceptualConfig
from darla.vision.models.image_model import Given
from darla.vision.models.registry import register_model
from darla.vision.training.batches import image_shape_of

TIMM, OBJECT = "timm:", "object:"
"""How `source` begins for a network of timm, and for one that was given as an object."""
ORDERS = ("as_is", "rgb", "bgr", "gray")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")
PRETRAINED = "pretrained"
_LARGEST_SIDE = 4096
_CHECKED_IMAGES = 8
_TOLERANCE = 1e-3
"""Largest difference of the codes of the check images, in units of their root mean square, that counts as rounding."""
_GRAY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""

_objects: dict[str, nn.Module] = {}
"""The networks that were given as objects in this process, by `source`."""


@dataclass(frozen=True)
class FrozenNetworkConfig(VisionModelConfig):
    """A network that is not darla's, and what it reads."""

    latent_dim: int = 0
    """As many as the network has outputs. Set by the network; not given by hand."""
    source: str = ""
    """`package.module:name` of a function that returns a `torch.nn.Module`, of a class of modules, or of a module; or
    `timm:NAME`, a network of timm without its classifier."""
    arguments: str = "{}"
    """Keyword arguments of that function or class, or of `timm.create_model`, as a JSON object."""
    weights: str = ""
    """File of the network's state dict (.safetensors, or .pth without other objects); `pretrained`, timm's own, from
    its cache or downloaded by it; the weights that the network is made with if empty."""
    weights_sha256: str = ""
    """SHA-256 of that file. Set by the file; not given by hand."""
    size: tuple[int, int] | None = None
    """Height and width to which images are resized. If not given, those of timm's own preprocessing, or as they are."""
    order: str = ""
    """Channels that the network reads: `rgb`, `bgr`, `gray`, or `as_is`, those of the images. One channel is repeated
    threefold where three are read, and a fourth is left out. If not given, `rgb` for timm and `as_is` for others."""
    mean: tuple[float, ...] = ()
    """Subtracted from each channel, of values in [0, 1]. If not given, timm's, or 0."""
    std: tuple[float, ...] = ()
    """Each channel is divided by it after that. If not given, timm's, or 1."""
    interpolation: str = "bilinear"
    """How images are resized: `bilinear` or `bicubic`, both antialiased, or `nearest`."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        if self.perceptual != PerceptualConfig():
            raise InputError("options of perceptual would be ignored: a frozen network uses no DAE")
        if self.order not in ("", *ORDERS):
            raise unknown_name("order of channels", self.order, ORDERS)
        if self.interpolation not in INTERPOLATIONS:
            raise unknown_name("interpolation", self.interpolation, INTERPOLATIONS)
        if self.size is not None and not all(1 <= side <= _LARGEST_SIDE for side in self.size):
            raise InputError(f"size must be two numbers from 1 to {_LARGEST_SIDE}, not {self.size}")
        if not all(np.isfinite(self.mean)) or not all(np.isfinite(value) and value > 0 for value in self.std):
            raise InputError(f"mean must be finite, and std above 0, not {self.mean} and {self.std}")
        if self.weights == PRETRAINED and not self.source.startswith(TIMM):
            raise InputError(f"weights 'pretrained' are those of timm, but source is {self.source!r}")
        self.keyword_arguments()

    def keyword_arguments(self) -> dict[str, Any]:
        """Return `arguments`.

        Raises:
            InputError: they are no JSON object.
        """
        try:
            values = json.loads(self.arguments)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise InputError(f"arguments must be a JSON object, such as '{{\"width\": 2}}', not {self.arguments!r}")
        return values

    def for_frames(self, frames: object) -> Self:
        """Return the configuration with everything filled in: what is done to these frames before the network."""
        height, width, channels = image_shape_of(frames)  # type: ignore[arg-type]
        if self.source.startswith(TIMM):
            published = _published(self.source)
            order, size = self.order or "rgb", self.size or tuple(published["input_size"][1:])
            mean, std = self.mean or tuple(published["mean"]), self.std or tuple(published["std"])
        else:
            order, size = self.order or "as_is", self.size or (height, width)
            mean, std = self.mean or (0.0,), self.std or (1.0,)
        read = _channels_read(order, channels)
        if order == "gray":  # of published numbers, those of the three channels together
            mean = mean if self.mean else (float(np.mean(mean)),)
            std = std if self.std else (float(np.mean(std)),)
        for name, values in (("mean", mean), ("std", std)):
            if len(values) not in (1, read):
                raise InputError(f"{name} has {len(values)} numbers, but the network reads {read} channels")
        digest = sha256(_weights_file(self.weights)) if self.weights not in ("", PRETRAINED) else ""
        if self.weights_sha256 not in ("", digest):
            raise InputError(f"{self.weights} is another file than the one named: its SHA-256 is {digest}")
        return replace(self, order=order, size=size, mean=mean, std=std, weights_sha256=digest)


@register_model("frozen_network", label="frozen network")
class FrozenNetwork(VisionModel):
    """A network of one's own or of timm; it has no decoder, and nothing is trained.

    Args:
        config: the network, and what it reads.
        feature_space: none; there is no DAE.
        image_shape: height, width, channels of the images, of any size.

    Raises:
        InputError: the network cannot be made, does not take the images, or returns something else than codes (N, D)
            or a mean and a log-variance.
    """

    Config = FrozenNetworkConfig
    config: FrozenNetworkConfig
    check_codes: Tensor
    has_prior = False
    has_decoder = False
    is_trained = False
    is_foreign = True
    fixed_sides = False

    def __init__(
        self,
        config: FrozenNetworkConfig,
        feature_space: FeatureSpace | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        network = make_network(config).eval()
        super().__init__(1, image_shape)
        self.config, self.network = config, network
        codes = self._codes_of_check_images()
        self.latent_dim = codes.shape[1]
        for name, values in (("codes_mean", torch.zeros), ("codes_std", torch.ones)):
            self.register_buffer(name, values(self.latent_dim))
        self.register_buffer("check_codes", codes)

    def initialize(self) -> None:
        """Load the weights that the configuration names."""
        if self.config.weights:
            _load_weights(self.network, self.config)
        self.check_codes.copy_(self._codes_of_check_images())

    def check(self, where: str) -> None:
        """Check that the network still gives the codes that it gave when the encoder was made.

        Raises:
            ArtefactError: it does not.
        """
        now, then = self._codes_of_check_images(), self.check_codes
        scale = float(then.square().mean().sqrt())
        moved = float((now - then).abs().max())
        if moved > _TOLERANCE * max(scale, 1e-12):
            raise ArtefactError(
                f"{where} cannot be used: {self.config.source} is not the network that it was made with (codes of the "
                f"same images and weights differ by {moved:.3g}, and are {scale:.3g} in root mean square)"
            )

    def train(self, mode: bool = True) -> Self:
        """Set the mode; the network itself stays in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self

    def encode(self, images: Tensor) -> Posterior:
        """Return the network's outputs for images, float32 (N, C, H, W) in [0, 1]."""
        try:
            outputs = self.network(self.prepare(images))
        except Exception as error:  # code of a user may raise anything
            shape = tuple(self.prepare(images[:1]).shape[1:])
            raise user_code_error(f"network {self.config.source} failed on images {shape}", error) from error
        return _posterior(outputs, images.shape[0], self.config.source)  # not len(), so that it can be exported

    def prepare(self, images: Tensor) -> Tensor:
        """Return images, float32 (N, C, H, W) in [0, 1], as the network reads them."""
        config = self.config
        # Networks may use `view`, so neither the images nor what convolutions make of them are channels-last.
        images = _reordered(images, config.order).contiguous()
        if config.size is not None and tuple(images.shape[2:]) != config.size:
            antialias = config.interpolation != "nearest"
            images = functional.interpolate(images, config.size, mode=config.interpolation, antialias=antialias)
        mean, std = (torch.tensor(values or (default,), device=images.device)[:, None, None]
                     for values, default in ((config.mean, 0.0), (config.std, 1.0)))  # fmt: skip
        return (images - mean) / std

    def decode(self, latents: Tensor) -> Tensor:
        """Refuse: there is no decoder.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.config.source} has no decoder, so codes cannot be turned into images")

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Refuse: there is nothing to train.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.config.source} is used as it is: training.steps must be 0")

    @torch.no_grad()
    def _codes_of_check_images(self) -> Tensor:
        """Return the codes of eight fixed images, (8, D)."""
        drawn = np.random.default_rng(0).random((_CHECKED_IMAGES, 4, 4, self.image_shape[2]), dtype=np.float32)
        small = torch.from_numpy(drawn).permute(0, 3, 1, 2)
        images = functional.interpolate(small, self.image_shape[:2], mode="bilinear").to(self._device())
        codes, again = self.encode(images).mean, self.encode(images).mean
        if not torch.isfinite(codes).all():
            raise InputError(f"network {self.config.source} gives codes that are not finite")
        if not torch.equal(codes, again) and not torch.allclose(codes, again, rtol=1e-4, atol=1e-6):
            raise InputError(f"network {self.config.source} gives two codes for one image; it must not be random")
        return codes

    def _device(self) -> torch.device:
        tensors = [*self.network.parameters(), *self.network.buffers()]
        return tensors[0].device if tensors else torch.device("cpu")

    @property
    def device(self) -> torch.device:
        """The device of the network, which may have no parameters."""
        return self.codes_mean.device


def keep_object(network: nn.Module) -> str:
    """Keep a copy of a network for this process, and return the `source` that names it.

    Args:
        network: a module.

    Returns:
        `object:` with its class and a digest of its weights; the same for the same network in every process.

    Raises:
        InputError: it is no module, or cannot be copied.
    """
    if not isinstance(network, nn.Module):
        raise InputError(f"an encoder must be a torch.nn.Module or an import path, not {network!r}")
    hashed = hashlib.sha256(str(network).encode())
    hash_tensors(hashed, network.state_dict())
    source = f"{OBJECT}{type(network).__qualname__}-{hashed.hexdigest()[:12]}"
    try:
        _objects[source] = copy.deepcopy(network).cpu()
    except Exception as error:  # code of a user may raise anything
        raise user_code_error(f"network {type(network).__qualname__} cannot be copied", error) from error
    return source


def make_network(config: FrozenNetworkConfig) -> nn.Module:
    """Make the network that a configuration names, with whatever weights it is made with.

    Raises:
        InputError: there is none, or making it fails.
    """
    source, arguments = config.source, config.keyword_arguments()
    if source.startswith(TIMM):
        return _timm_network(source, arguments)
    if source.startswith(OBJECT):
        if source not in _objects:
            raise InputError(
                f"{source} was given as an object, which this process does not have: call darla.see with that object "
                "again (a finished encoder is returned at once), or give its import path instead"
            )
        return copy.deepcopy(_objects[source])
    made = import_by_path(source, "network")
    if not isinstance(made, nn.Module):
        made = _called(made, source, arguments)
    elif arguments:
        raise InputError(f"arguments would be ignored: {source} is a module that has been made already")
    if not isinstance(made, nn.Module):
        raise InputError(f"{source} gives {type(made).__name__}, but a torch.nn.Module is needed")
    return copy.deepcopy(made)


def _called(maker: Any, source: str, arguments: Mapping[str, Any]) -> object:
    """Return what a function or class makes of the arguments."""
    if not (inspect.isfunction(maker) or (isinstance(maker, type) and issubclass(maker, nn.Module))):
        raise InputError(
            f"{source} is {type(maker).__name__}, but a torch.nn.Module, a class of them, or a function that returns "
            "one is needed"
        )
    try:
        return maker(**arguments)
    except Exception as error:  # code of a user may raise anything
        raise user_code_error(f"network {source} cannot be made", error) from error


def _timm() -> Any:
    try:
        return import_module("timm")
    except ModuleNotFoundError as error:
        raise InputError(
            f"networks of timm need the package {error.name}; install it with: pip install 'darla[timm]'"
        ) from error
    except Exception as error:
        if "torchvision::" in str(error):
            # PyPI's torchvision has no operators beside PyTorch's build for CPUs, and pip installs it there.
            raise InputError(
                f"timm cannot be imported: torchvision was built for another PyTorch than {torch.__version__} "
                f"({error}); "
                "install it from where PyTorch is from; beside the build for CPUs: pip install --force-reinstall "
                "--no-deps torchvision --index-url https://download.pytorch.org/whl/cpu"
            ) from error
        raise user_code_error("timm cannot be imported", error) from error


def _timm_name(source: str) -> str:
    name, timm = source.removeprefix(TIMM), _timm()
    if name.split(".")[0] not in timm.list_models():
        raise unknown_name("network of timm", name, timm.list_models())
    return name


def _published(source: str) -> dict[str, Any]:
    """Return the preprocessing with which timm's authors have trained a network."""
    name, timm = _timm_name(source), _timm()
    config = timm.models.get_pretrained_cfg(name)
    return dict(timm.data.resolve_data_config(pretrained_cfg=config.to_dict() if config else {}))


def _timm_network(source: str, arguments: Mapping[str, Any], *, pretrained: bool = False) -> nn.Module:
    name, timm = _timm_name(source), _timm()
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0, **arguments)
    except Exception as error:  # a wrong argument, or a download that fails
        raise InputError(
            f"timm cannot make {name!r}: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    return network


def _load_weights(network: nn.Module, config: FrozenNetworkConfig) -> None:
    """Load timm's own weights, or those of a file, into a network: every tensor, and no others."""
    if config.weights == PRETRAINED:
        network.load_state_dict(_timm_network(config.source, config.keyword_arguments(), pretrained=True).state_dict())
        return
    path = _weights_file(config.weights)
    tensors, state = _read_weights(path), network.state_dict()
    if config.source.startswith(TIMM):  # published files hold the classifier, which is left out here
        heads = getattr(network, "pretrained_cfg", {}).get("classifier") or ()
        heads = (heads,) if isinstance(heads, str) else tuple(heads)
        tensors = {name: value for name, value in tensors.items() if name in state or not name.startswith(heads)}
    for name in sorted(tensors.keys() ^ state.keys()):
        problem = "lacks the tensor" if name in state else "holds another tensor than the network's:"
        raise InputError(f"{path} does not fit {config.source}: it {problem} {name!r}")
    for name, value in state.items():
        if tensors[name].shape != value.shape:
            raise InputError(
                f"{path} does not fit {config.source}: tensor {name!r} has shape {tuple(tensors[name].shape)}, not "
                f"{tuple(value.shape)}"
            )
    network.load_state_dict(tensors)


def _weights_file(name: str) -> Path:
    if not Path(name).is_file():
        raise InputError(f"weights is {name!r}, but there is no such file")
    return Path(name)


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict; nothing is executed."""
    if path.suffix == ".safetensors":
        return load_tensors(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # many kinds, all of them the file's
        raise InputError(
            f"{path} cannot be read as plain tensors ({type(error).__name__}); save the network's state_dict(), best as"
            " .safetensors"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} must hold a state dict: tensors by name")
    return content


def _channels_read(order: str, channels: int) -> int:
    if order == "gray":
        return 1
    return channels if order == "as_is" else 3


def _reordered(images: Tensor, order: str) -> Tensor:
    """Return images (N, C, H, W) with the channels that a network reads."""
    if order == "as_is" or not order:
        return images
    if order == "gray":
        if images.shape[1] == 1:
            return images
        weights = torch.tensor(_GRAY, device=images.device)[:, None, None]
        return (images[:, :3] * weights).sum(dim=1, keepdim=True)
    color = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images[:, :3]
    return color.flip(1) if order == "bgr" else color


def _posterior(outputs: Any, count: int, source: str) -> Posterior:
    """Return codes, or a mean and a log-variance, as a posterior."""
    parts = list(outputs) if isinstance(outputs, tuple | list) else [outputs]
    if not all(isinstance(part, Tensor) for part in parts) or len(parts) not in (1, 2):
        raise InputError(
            f"network {source} returns {type(outputs).__name__}, but codes (N, D), or a pair of mean and log-variance, "
            "are needed"
        )
    for part in parts:
        if part.ndim != 2 or part.shape[0] != count or not part.shape[1]:
            raise InputError(
                f"network {source} returns shape {tuple(part.shape)} for {count} images, but ({count}, D) is needed; "
                "end it with an average pool or nn.Flatten()"
            )
    if len(parts) == 1:
        return DeterministicPosterior.at(parts[0].float())
    mean, log_variance = parts
    if mean.shape != log_variance.shape:
        raise InputError(
            f"network {source} returns a mean of shape {tuple(mean.shape)} and a log-variance of shape "
            f"{tuple(log_variance.shape)}"
        )
    return Posterior(mean.float(), log_variance.float())
