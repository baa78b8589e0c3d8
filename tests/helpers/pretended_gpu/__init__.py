"""A pretended GPU: shows on a machine without one what would fail, or wait, on one.

    with PretendedGPU() as gpu:
        model.to("cuda")                 # data stay in the CPU's memory; their storages are marked as the GPU's
        model.loss(images)               # raises MixedDevices where a tensor of the GPU meets one of the CPU

Values are real, so code that depends on them runs. What PyTorch refuses on a GPU is refused here: operations on tensors
of both devices (except CPU scalars and CPU indices, which PyTorch takes), `.numpy()` of a GPU tensor, a generator of
the other device, float64 where the device has none (`float64=False`, as Apple's), `binary_cross_entropy` under
autocast.
`torch.cuda` says that a GPU is there; `tensor.device` is `cuda:0`; autocast casts by the rules of CUDA, not of the CPU.
Copies between host and device and waits of the host (`.item()`, boolean masks, `nonzero`, ...) are counted in
`gpu.counts`; `gpu.waits` names the lines that wait.

It does not show faults of kernels, streams, memory and NCCL, nor the last bits of floating-point results.
"""

from pretended_gpu.device import MixedDevices, PretendedGPU

__all__ = ["MixedDevices", "PretendedGPU"]
