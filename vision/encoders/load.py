"""From an artefact to a model."""

from pathlib import Path

import torch
from torch import Tensor

from darla.common import Artefact, ArtefactError, open_artefact
from darla.common.artefact import CONFIG
from darla.common.checked_config import checked_arguments
from darla.common.json_records import as_written
from darla.vision.encoders.config import SeeConfig
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAE, LAYERS, DAEConfig
from darla.vision.models.feature_space import FeatureSpace, FeatureStatistics
from darla.vision.models.registry import MODELS
from darla.vision.training.devices import choose_device
from darla.vision.training.fused_conv import fuse_for_cpu


@checked_arguments
def build_model(
    config: SeeConfig, image_shape: tuple[int, int, int], feature_space: FeatureSpace | None = None
) -> VisionModel:
    """Build the configured model, untrained.

    Args:
        config: the whole configuration.
        image_shape: height, width, channels.
        feature_space: the calibrated J, where the objective needs one; if None, a blank one to load weights into.
    """
    if feature_space is None and config.vae.needs_dae:
        feature_space = FeatureSpace(DAE(config.dae, image_shape), config.vae.perceptual)
    build = MODELS[config.model]
    model: VisionModel = build(config.vae, feature_space, image_shape)  # type: ignore[arg-type, call-arg]
    return fuse_for_cpu(model)


@checked_arguments
def load(encoder: Artefact | Path | str, device: str = "cpu") -> VisionModel:
    """Load the model of an encoder artefact.

    Args:
        encoder: what `train_encoder` wrote; an open artefact is not hashed again.
        device: where the model is put: `cpu`, `cuda`, `cuda:1`, ..., or `auto`.

    Returns:
        The model, in eval mode, none of its parameters requiring a gradient.

    Raises:
        ArtefactError: no finished encoder artefact, or a damaged one.
        InputError: there is no such device.
    """
    place = choose_device(device)
    artefact = open_artefact(encoder, "encoder")
    with as_written(artefact.folder / CONFIG):
        config = SeeConfig.from_dict(artefact.config["see"])
        model = build_model(config, tuple(artefact.config["image_shape"]))
    load_weights(model, artefact.tensors(), artefact.folder)
    model.requires_grad_(False).eval().check(str(artefact.folder))
    return model.to(place)


@checked_arguments
def load_dae(dae: Artefact | Path | str) -> DAE:
    """Load the model of a DAE artefact, frozen and in eval mode.

    Raises:
        ArtefactError: no finished DAE artefact, or a damaged one.
    """
    artefact = open_artefact(dae, "dae")
    with as_written(artefact.folder / CONFIG):
        height, width, channels = artefact.config["image_shape"]
        model = DAE(DAEConfig(**artefact.config["dae"]), (height, width, channels))
    load_weights(model, artefact.tensors(), artefact.folder)
    return fuse_for_cpu(model).requires_grad_(False).eval()


def load_statistics(dae: Artefact) -> dict[str, FeatureStatistics]:
    """Read the moments of every layer of a DAE artefact."""
    tensors = dae.tensors("features.safetensors")
    return {layer: FeatureStatistics(tensors[f"{layer}.mean"], tensors[f"{layer}.covariance"]) for layer in LAYERS}


def load_weights(model: torch.nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load tensors into a model, all of them and no others.

    Raises:
        ArtefactError: a tensor is missing, unknown, or of another shape.
    """
    expected = model.state_dict()
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ArtefactError(f"{source} lacks the tensor {missing[0]!r}")
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise ArtefactError(f"{source} holds a tensor {unknown[0]!r} that its model does not have")
    for name, value in expected.items():
        if value.shape != tensors[name].shape:
            raise ArtefactError(
                f"{source}: tensor {name!r} has shape {tuple(tensors[name].shape)}, not {tuple(value.shape)}"
            )
    model.load_state_dict(tensors)
