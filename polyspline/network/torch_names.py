"""Operators of torch that need no function of their own, by what is done with them.

Names are those of torch's own operator library, without ``aten::``.
"""

from __future__ import annotations

NOTHING = frozenset(
    {
        "_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range",
        "sym_constrain_range_for_size",
    }
)  # fmt: skip
"""Checks, which have no result."""

DROPOUTS = frozenset(
    {
        "dropout", "dropout_", "feature_dropout", "feature_dropout_", "alpha_dropout", "alpha_dropout_",
        "feature_alpha_dropout", "feature_alpha_dropout_",
    }
)  # fmt: skip
"""Dropouts, which do nothing in evaluation mode."""

PASSING = DROPOUTS | frozenset(
    {
        "clone", "detach", "detach_", "contiguous", "alias", "lift_fresh_copy", "to", "_to_copy", "type_as",
        "positive", "requires_grad_", "detach_copy", "alias_copy", "resolve_conj", "resolve_neg",
        "nan_to_num",
    }
)  # fmt: skip
"""Operators that change no real number."""

MOVING = frozenset(
    {
        "view", "reshape", "_unsafe_view", "_reshape_alias", "view_copy", "view_as", "reshape_as", "flatten",
        "unflatten", "permute", "permute_copy", "transpose", "t", "numpy_T", "matrix_H", "mT", "movedim",
        "moveaxis", "swapaxes", "swapdims", "squeeze", "squeeze_copy", "unsqueeze", "unsqueeze_copy",
        "expand", "expand_copy", "expand_as", "broadcast_to", "repeat", "repeat_interleave", "tile", "flip",
        "fliplr", "flipud", "roll", "rot90", "slice", "slice_copy", "slice_scatter", "select", "select_copy",
        "select_scatter", "narrow", "index", "index_select", "index_put", "take", "gather", "masked_fill",
        "where", "chunk", "split", "split_with_sizes", "tensor_split", "unbind",
        "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "stack", "cat", "concat", "concatenate",
        "hstack", "vstack", "dstack", "column_stack", "row_stack", "atleast_1d", "atleast_2d", "ravel", "pad",
        "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
        "replication_pad2d", "replication_pad3d", "_pad_circular", "upsample_nearest1d", "upsample_nearest2d",
        "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
        "_upsample_nearest_exact3d", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "unfold",
        "im2col", "diagonal", "copy", "fill", "diag_embed", "take_along_dim", "scatter", "index_copy",
        "index_fill", "broadcast_tensors", "block_diag", "adjoint", "hsplit", "vsplit", "dsplit",
    }
)  # fmt: skip
"""Operators that only move numbers around."""

SHAPE_ONLY = frozenset(
    {
        "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "size", "sym_size",
        "numel", "sym_numel", "dim", "zero",
    }
)  # fmt: skip
"""Operators whose result depends on the shape of the tensor alone."""

LINEAR = frozenset(
    {
        "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d",
        "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "tensordot", "trace", "outer", "kron", "inner",
        "vdot", "triu", "tril", "trapezoid", "linalg_cross", "linalg_multi_dot", "col2im",
    }
)  # fmt: skip
"""Operators that are linear in the one argument that depends on the input."""

UNINITIALISED = frozenset(
    {
        "empty", "empty_like", "empty_strided", "empty_permuted", "empty_quantized",
        "_empty_affine_quantized",
        "_empty_per_channel_affine_quantized", "new_empty", "new_empty_strided", "resize", "resize_as",
        "resize_", "resize_as_", "set_", "set", "_resize_output", "_resize_output_",
    }
)  # fmt: skip
"""Operators whose result holds whatever the memory held before."""

CONSTANTS = frozenset(
    {
        "zeros", "ones", "full", "eye", "arange", "linspace", "logspace", "scalar_tensor", "tril_indices",
        "triu_indices", "softmax", "log_softmax", "layer_norm", "group_norm", "meshgrid", "norm",
        "norm_except_dim", "_weight_norm", "_weight_norm_interface", "item", "is_nonzero", "floor_divide",
        "argsort", "msort", "std", "var", "var_mean", "std_mean", "cumprod", "logsumexp", "one_hot",
        "linalg_norm", "linalg_matrix_norm", "linalg_matrix_exp", "linalg_qr", "linalg_inv", "linalg_solve",
        "linalg_householder_product", "linalg_cholesky", "linalg_det", "cosine_similarity", "fill_diagonal",
        "masked_select", "searchsorted", "bucketize", "median", "lift_fresh", "cross", "equal", "allclose",
    }
)  # fmt: skip
"""Operators that constants may be computed by, besides the other ones here, core ones and pointwise ones."""

UNBOUNDED = frozenset(
    {"bincount", "histc", "repeat_interleave", "one_hot", "col2im", "max_unpool2d", "max_unpool3d"}
)
"""Operators whose results may be larger than their arguments by what the numbers in these say."""

NOT_LARGER = frozenset(
    {
        "view", "reshape", "_unsafe_view", "_reshape_alias", "view_copy", "view_as", "reshape_as", "flatten",
        "unflatten", "permute", "permute_copy", "transpose", "t", "numpy_T", "matrix_H", "mT", "movedim",
        "moveaxis", "swapaxes", "swapdims", "squeeze", "squeeze_copy", "unsqueeze", "unsqueeze_copy", "flip",
        "fliplr", "flipud", "roll", "rot90", "slice", "slice_copy", "slice_scatter", "select", "select_copy",
        "select_scatter", "narrow", "index_put", "chunk", "split", "split_with_sizes", "tensor_split",
        "unbind", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "stack", "cat", "concat",
        "concatenate", "hstack", "vstack", "dstack", "column_stack", "row_stack", "atleast_1d", "atleast_2d",
        "ravel", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "diagonal", "scatter", "index_copy",
        "index_fill", "adjoint", "hsplit", "vsplit", "dsplit", "size", "sym_size", "numel", "sym_numel",
        "dim", "clone", "detach", "contiguous", "alias", "to", "_to_copy", "lift_fresh_copy", "lift_fresh",
        "item", "_local_scalar_dense", "softmax", "log_softmax", "cumsum", "cumprod", "sum", "mean",
        "amax", "amin",
        "layer_norm", "group_norm", "triu", "tril",
    }
)  # fmt: skip
"""Operators whose results together have at most as many numbers as their arguments."""
