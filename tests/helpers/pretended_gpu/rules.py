"""What PyTorch does on a GPU, as lists of names: autocast (docs: "CUDA Op-Specific Behavior"), waits, mixed scalars."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


REDUCED = _names(
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution linear matmul __matmul__"
    " __rmatmul__ mm mv addmm addmv addr addbmm bmm baddbmm chain_matmul einsum prelu multi_dot"
)
"""Functions that autocast computes in the reduced format."""
FULL = _names(
    "__pow__ __rpow__ __rdiv__ __rtruediv__ acos asin cosh cosine_embedding_loss cdist cosine_similarity"
    " cross_entropy binary_cross_entropy_with_logits cumprod cumsum dist erfinv exp expm1 group_norm kl_div l1_loss"
    " layer_norm log log10 log_softmax log1p log2 mse_loss nll_loss norm normalize pdist pow prod reciprocal rsqrt"
    " sinh smooth_l1_loss softmax softmin softplus sum renorm tan logsumexp"
)
"""Functions that autocast computes in float32."""
WAITS = _names(
    "_local_scalar_dense nonzero masked_select _unique2 unique_dim unique_consecutive bincount equal is_nonzero"
    " repeat_interleave linalg_eigh _linalg_eigh _linalg_svd _linalg_solve_ex"
)
"""Operations for which the host must know a number that the GPU computes."""
TAKE_CPU_SCALARS = _names(
    "where masked_fill masked_fill_ index_put index_put_ _index_put_impl_ fill fill_ lerp clamp clamp_min clamp_max"
    " _foreach_add_ _foreach_mul_ _foreach_div_"
)
"""Operations, besides the pointwise ones, that take a tensor of no dimensions from the CPU."""
