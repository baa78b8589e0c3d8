"""Check what a model that is not darla's returns, before it is trained for hours."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from darla.common import DarlaError, InputError, user_code_error
from darla.common.errors import is_fault_of_user, is_out_of_memory
from darla.vision.models.base import Posterior, VisionModel
from darla.vision.training.batches import LabeledFrames
from darla.vision.training.units import Units

T = TypeVar("T")
_UNITS = 4


def check_model(model: VisionModel, frames: LabeledFrames, units: Units) -> None:
    """Call a model's methods once, on a few of the frames that it will be trained on. Models of darla are not called.

    Args:
        model: newly built.
        frames: uint8 images.
        units: what it is trained on.

    Raises:
        InputError: a method fails, or returns something else than its docstring says.
    """
    if type(model).__module__.split(".")[0] == "darla":
        return
    drawn = torch.arange(min(_UNITS, len(units))).numpy()
    images = model.to_input(frames[units.images_of(drawn)])
    known = units.supervision_of(drawn, images.device)
    noise = torch.Generator(images.device).manual_seed(0)
    model.set_dataset_size(units.rows.size)
    model.on_step(0, 1)
    training = model.training
    model.eval()  # so that no running mean moves
    with torch.random.fork_rng(devices=[]):
        posterior = _call(model, "encode", lambda: model.encode(images))
        if not isinstance(posterior, Posterior):
            raise _wrong(model, "encode", posterior, "a Posterior")
        expected = (len(images), model.latent_dim)
        if tuple(posterior.mean.shape) != expected:
            raise _wrong(model, "encode", posterior.mean, f"a mean of shape {expected}")
        if model.has_decoder:
            decoded: Any = _call(model, "decode", lambda: model.decode(posterior.mean))
            if not isinstance(decoded, Tensor) or decoded.shape != images.shape:
                raise _wrong(model, "decode", decoded, f"images of shape {tuple(images.shape)}")
        given = (known,) if known else ()
        terms: Any = _call(model, "loss", lambda: model.loss(images, noise, *given))
    model.train(training)
    if not isinstance(terms, dict) or not isinstance(terms.get("loss"), Tensor) or terms["loss"].ndim:
        raise _wrong(model, "loss", terms, "a dictionary with the loss, a number, and its terms")
    if not terms["loss"].requires_grad:
        raise InputError(f"the loss of model {type(model).__name__!r} depends on none of its parameters")


def _call(model: VisionModel, method: str, call: Callable[[], T]) -> T:
    what = f"model {type(model).__name__!r} failed in {method}"
    try:
        return call()
    except Exception as error:
        if isinstance(error, DarlaError) or is_out_of_memory(error):
            raise
        if is_fault_of_user(error, in_ours=True):
            raise user_code_error(what, error) from error
        # A line of ours did not get what it needs: from a method that the model has in place of ours.
        reason = " ".join(str(error).split())
        own = ", ".join(name for name in vars(type(model)) if callable(getattr(type(model), name)) and name[0] != "_")
        raise InputError(
            f"{what} ({type(error).__name__}: {reason}); check what its {own or method} returns"
        ) from error


def _wrong(model: VisionModel, method: str, value: Any, expected: str) -> InputError:
    kind = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    return InputError(f"model {type(model).__name__!r} returned {kind} from {method}, but {expected} is needed")
