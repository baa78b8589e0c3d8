"""A decoder as a list of layers that a page can run: `decoder.js` runs what is made here.

The decoder is traced by `torch.export`. Chains of linear layers, convolutions and activations are supported, which the
decoders of most models are. Weights are rounded to float16, and the rounded network is compared with the model.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from darla.common import rng_for
from darla.vision import VisionModel

Array = np.ndarray[Any, Any]
TOLERANCE = 2.5 / 255
"""Largest difference between a pixel of the rounded network and of the model."""
_COMPARED = 32
"""Codes that the two are compared on."""
_SAME = ("to.dtype", "clone.default", "contiguous.default", "detach.default", "dropout.default", "alias.default")
"""Operations that change nothing here: everything is float32, and nothing is trained."""
_ELEMENTWISE = {"relu.default": "relu", "relu_.default": "relu", "elu.default": "elu", "elu_.default": "elu",
                "sigmoid.default": "sigmoid"}  # fmt: skip


class _UnsupportedError(Exception):
    """The decoder does something that the page cannot do."""


class _Decode(nn.Module):
    def __init__(self, model: VisionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor) -> Tensor:
        return self.model.to_display(self.model.decode(codes))


@dataclass
class DecoderNetwork:
    """Layers in their order, and their weights."""

    layers: list[dict[str, Any]] = field(default_factory=list)
    """As `decoder.js` reads them: `op`, sizes, and where the weights begin."""
    parts: list[Tensor] = field(default_factory=list)
    """Weights in float16, each flat."""

    def to_json(self, channels: int) -> dict[str, Any]:
        """Return plain data for the page."""
        flat = torch.cat(self.parts).numpy().astype("<f2")
        weights = base64.b64encode(flat.tobytes()).decode()
        return {"kind": "network", "channels": channels, "layers": self.layers, "weights": weights}

    @property
    def size(self) -> int:
        """Bytes of the weights in a page."""
        return sum(len(part) for part in self.parts) * 2 * 4 // 3

    def store(self, weights: Tensor | None) -> int | None:
        """Keep weights, and return where they begin; None for none."""
        if weights is None:
            return None
        start = sum(len(part) for part in self.parts)
        self.parts.append(weights.detach().flatten().to("cpu", torch.float16))
        return start

    @torch.inference_mode()
    def run(self, codes: Tensor) -> Tensor:
        """Decode as the page does, float32 (N, D) to (N, C, H, W)."""
        flat = torch.cat(self.parts).float()
        x = codes

        def weights(start: int | None, *shape: int) -> Tensor | None:
            return None if start is None else flat[start : start + int(np.prod(shape))].reshape(shape)

        for layer in self.layers:
            match layer["op"]:
                case "linear":
                    weight = weights(layer["weight"], *layer["shape"])
                    assert weight is not None
                    x = nn.functional.linear(x, weight, weights(layer["bias"], layer["shape"][0]))
                case "convolution":
                    x = _convolve(layer, x, weights)
                case "unflatten":
                    x = x.reshape(-1, *layer["shape"])
                case "flatten":
                    x = x.flatten(1)
                case name:
                    x = {"relu": torch.relu, "elu": nn.functional.elu, "sigmoid": torch.sigmoid}[name](x)
        return x


def _convolve(layer: Mapping[str, Any], x: Tensor, weights: Any) -> Tensor:
    inputs, outputs = layer["channels"]
    kernel = layer["kernel"]
    weight = weights(layer["weight"], inputs, kernel, kernel, outputs)
    bias = weights(layer["bias"], outputs)
    if layer["transposed"]:
        weight = weight.permute(0, 3, 1, 2)
        return nn.functional.conv_transpose2d(x, weight, bias, layer["stride"], layer["padding"])
    return nn.functional.conv2d(x, weight.permute(3, 0, 1, 2), bias, layer["stride"], layer["padding"])


def decoder_network(model: VisionModel) -> DecoderNetwork | None:
    """Return a model's decoder as layers; None if it is not a chain of layers that the page knows.

    Args:
        model: on the CPU, in eval mode, float32.
    """
    try:
        with torch.no_grad():
            program = torch.export.export(_Decode(model), (torch.zeros(1, model.latent_dim),), strict=False)
        network = _Tracer(program).trace()
    except Exception:
        # Whatever a model does that cannot be traced: its pictures are drawn beforehand.
        return None
    drawn = rng_for(0, "decoder network").standard_normal((_COMPARED, model.latent_dim), np.float32)
    deviations = model.codes_std.clamp_min(1.0 if model.has_prior else 0.0)
    codes = model.codes_mean + torch.from_numpy(drawn) * deviations
    with torch.inference_mode():
        exact = _Decode(model)(codes).clamp(0, 1)
    rounded = network.run(codes)
    if rounded.shape != exact.shape or not bool((rounded.clamp(0, 1) - exact).abs().max() <= TOLERANCE):
        return None
    return network


class _Tracer:
    """Turns a traced program into layers. A value is a constant, or what the chain of layers so far has computed."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.network = DecoderNetwork()

    def trace(self) -> DecoderNetwork:
        """Return the layers.

        Raises:
            _UnsupportedError: an operation is not supported, or the layers are no chain.
        """
        signature = self.program.graph_signature
        stored = {**self.program.state_dict, **self.program.constants}
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        names |= dict(signature.inputs_to_lifted_tensor_constants)
        placeholders = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        given: list[Any] = [stored[names[node.name]] if node.name in names else _Chain(0) for node in placeholders]
        self.walk(self.program.graph_module, given)
        return self.network

    def walk(self, module: fx.GraphModule, given: list[Any]) -> Any:
        """Run a graph on constants and the chain, and return its output."""
        values: dict[fx.Node, Any] = {}
        inputs = iter(given)
        for node in module.graph.nodes:
            if node.op == "placeholder":
                values[node] = next(inputs)
            elif node.op == "get_attr":
                values[node] = getattr(module, str(node.target))
            elif node.op == "output":
                return fx.node.map_arg(node.args[0], lambda part: values[part])
            else:
                arguments = fx.node.map_arg(node.args, lambda part: values[part])
                values[node] = self.call(node, arguments, fx.node.map_arg(node.kwargs, lambda part: values[part]))
        raise _UnsupportedError("a graph without output")

    def call(self, node: fx.Node, arguments: Any, keywords: Any) -> Any:
        """Apply one operation."""
        target: Any = node.target
        name = str(target).removeprefix("aten.")
        if name == "wrap_with_autocast":
            *_, inner = (part for part in arguments if isinstance(part, fx.GraphModule))
            return self.walk(inner, list(arguments[arguments.index(inner) + 1 :]))
        if name.startswith("_assert"):
            return None
        chains = [part for part in _flat(arguments) if isinstance(part, _Chain)]
        if not chains or name == "<built-in function getitem>":
            return target(*arguments, **keywords)
        if len(chains) > 1 or chains[0].number != len(self.network.layers):
            raise _UnsupportedError(f"{name} of more than the last layer")
        shape = tuple(node.meta["val"].shape)
        if name not in _SAME:
            self.add(name, node, list(arguments), keywords, shape)
        return _Chain(len(self.network.layers))

    def add(self, name: str, node: fx.Node, arguments: list[Any], keywords: Any, shape: tuple[int, ...]) -> None:
        """Append the layer of one operation."""
        layers, store = self.network.layers, self.network.store
        if name in _ELEMENTWISE:
            if name.startswith("elu") and any(value != 1 for value in arguments[1:]):
                raise _UnsupportedError("an ELU of another scale")
            layers.append({"op": _ELEMENTWISE[name]})
        elif name == "linear.default":
            weight, bias = arguments[1], arguments[2] if len(arguments) > 2 else None
            layers.append({"op": "linear", "shape": list(weight.shape), "weight": store(weight), "bias": store(bias)})
        elif name in ("conv2d.default", "conv_transpose2d.input"):
            layers.append(self.convolution(name, node, arguments))
        elif name in ("unflatten.int", "view.default", "reshape.default") and len(shape) == 4:
            layers.append({"op": "unflatten", "shape": list(shape[1:])})
        elif name in ("flatten.using_ints", "view.default", "reshape.default") and len(shape) == 2:
            before = node.args[0].meta["val"].shape  # type: ignore[union-attr]
            layers.append({"op": "flatten", "shape": list(before[1:])})
        elif name in ("add.Tensor", "sub.Tensor") and isinstance(arguments[1], Tensor) and len(shape) == 2:
            sign = 1 if name.startswith("add") else -1
            self.matrix(torch.eye(shape[1]), sign * arguments[1])
        elif name == "linalg_solve_ex.default" or name == "linalg_solve.default":
            # solve(A, x, left=False) is x with x A = b for the chain b: a product with the inverse of A.
            if keywords.get("left", True) or not isinstance(arguments[0], Tensor):
                raise _UnsupportedError(name)
            self.matrix(torch.linalg.inv(arguments[0].double()).float().T, None)
        else:
            raise _UnsupportedError(name)

    def matrix(self, weight: Tensor, bias: Tensor | None) -> None:
        """Append a linear layer of constants."""
        layers, store = self.network.layers, self.network.store
        bias = None if bias is None else bias.expand(len(weight))
        layers.append({"op": "linear", "shape": list(weight.shape), "weight": store(weight), "bias": store(bias)})

    def convolution(self, name: str, node: fx.Node, arguments: list[Any]) -> dict[str, Any]:
        """Return the layer of a convolution with a square kernel."""
        transposed = name.startswith("conv_transpose")
        left_out: list[Any] = [None, [1, 1], [0, 0]]  # bias, stride, padding
        _, weight, bias, stride, padding, *others = arguments + left_out[len(arguments) - 2 :]
        extra = [each for each in others if each not in ([0, 0], [1, 1], 1)]
        if extra or len({*stride}) != 1 or len({*padding}) != 1 or weight.shape[2] != weight.shape[3]:
            raise _UnsupportedError("a convolution of another form")
        ordered = weight.permute(0, 2, 3, 1) if transposed else weight.permute(1, 2, 3, 0)
        inputs, kernel, _, outputs = ordered.shape
        return {
            "op": "convolution",
            "transposed": transposed,
            "channels": [inputs, outputs],
            "kernel": kernel,
            "stride": stride[0],
            "padding": padding[0],
            "size": list(node.args[0].meta["val"].shape[2:]),  # type: ignore[union-attr]
            "outSize": list(node.meta["val"].shape[2:]),
            "weight": self.network.store(ordered.contiguous()),
            "bias": self.network.store(bias),
        }


@dataclass(frozen=True)
class _Chain:
    """What the first `number` layers compute."""

    number: int


def _flat(arguments: Any) -> list[Any]:
    flat: list[Any] = []
    fx.node.map_aggregate(arguments, flat.append)
    return flat
