"""Builds the ONNX graph of all-MiniLM-L6-v2 from its published weights.

A six-layer BERT encoder written with onnxruntime's fused `com.microsoft` operators (contract:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md). The input
`input_ids` is int32 (batch, length), without padding; the output `hidden` is float32
(batch, length, 384). Pooling stays outside the graph: it costs nothing in numpy.

Pure: knows neither Django nor where the files live. The heavy imports happen inside the functions.
Run as a program (`minilm_graph.py WEIGHTS TARGET`) it builds in a process of its own, whose memory
(half a gigabyte for three seconds) goes when it ends.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import onnx

    Weights = dict[str, npt.NDArray[np.float32]]

LAYERS = 6
HEADS = 12
HIDDEN = 384
EPSILON = 1e-12
OPSET = 17


def write_quantised(weights_file: Path, target: Path) -> None:
    """Write the int8 model to `target`; the fp32 graph lives beside it only while it is needed."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    full = target.with_suffix(".fp32")
    try:
        onnx.save(build(weights_file), str(full))
        # One scale a column keeps the vectors within 0.99 of fp32 (one a matrix: 0.96). Seven bits,
        # because processors without VNNI saturate when they add two products of eight bits.
        quantize_dynamic(
            str(full),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        full.unlink(missing_ok=True)


def build(weights_file: Path) -> onnx.ModelProto:
    """Return the fp32 graph with the weights of a `model.safetensors` file inside."""
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    weights: Weights = load_file(weights_file)
    constants: Weights = {}
    nodes = [_embeddings(weights, constants)]
    for layer in range(LAYERS):
        nodes += _encoder_layer(layer, weights, constants)
    nodes.append(helper.make_node("Identity", [f"layer{LAYERS - 1}"], ["hidden"]))
    shape = ["batch", "length"]
    graph = helper.make_graph(
        nodes,
        "all-MiniLM-L6-v2",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT32, shape),
        ],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [*shape, HIDDEN])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _embeddings(weights: Weights, constants: Weights) -> onnx.NodeProto:
    from onnx import helper

    names = {
        "word": "word_embeddings.weight",
        "position": "position_embeddings.weight",
        "norm.weight": "LayerNorm.weight",
        "norm.bias": "LayerNorm.bias",
    }
    constants.update({name: weights[f"embeddings.{key}"] for name, key in names.items()})
    # One segment only, so its vector is folded into the positions and the input disappears.
    constants["position"] = (
        constants["position"] + weights["embeddings.token_type_embeddings.weight"][0]
    )
    return helper.make_node(
        "EmbedLayerNormalization",
        ["input_ids", "", "word", "position", "", "norm.weight", "norm.bias"],
        ["embedded", "unused_mask_index"],
        domain="com.microsoft",
        epsilon=EPSILON,
    )


def _encoder_layer(layer: int, weights: Weights, constants: Weights) -> list[onnx.NodeProto]:
    import numpy as np
    from onnx import helper

    prefix, own = f"encoder.layer.{layer}.", f"layer{layer}"
    before = f"layer{layer - 1}" if layer else "embedded"

    def keep(name: str, value: npt.NDArray[np.float32]) -> str:
        constants[f"{own}.{name}"] = np.ascontiguousarray(value)
        return f"{own}.{name}"

    def weight(name: str, key: str) -> str:
        return keep(name, weights[f"{prefix}{key}.weight"].T)

    def bias(name: str, key: str) -> str:
        return keep(name, weights[f"{prefix}{key}.bias"])

    def norm(inputs: list[str], key: str, dense: str, output: str) -> onnx.NodeProto:
        scale = keep(f"{output}.scale", weights[f"{prefix}{key}.weight"])
        shift = bias(f"{output}.shift", key)
        return helper.make_node(
            "SkipLayerNormalization",
            [*inputs, scale, shift, bias(f"{output}.dense_bias", dense)],
            [f"{own}.{output}" if output != own else own],
            domain="com.microsoft",
            epsilon=EPSILON,
        )

    heads = [f"attention.self.{part}" for part in ("query", "key", "value")]
    qkv = keep("qkv", np.concatenate([weights[f"{prefix}{key}.weight"].T for key in heads], axis=1))
    qkv_bias = keep("qkv_bias", np.concatenate([weights[f"{prefix}{key}.bias"] for key in heads]))
    return [
        helper.make_node(
            "Attention",
            [before, qkv, qkv_bias],
            [f"{own}.context"],
            domain="com.microsoft",
            num_heads=HEADS,
        ),
        helper.make_node(
            "MatMul",
            [f"{own}.context", weight("attended", "attention.output.dense")],
            [f"{own}.projected"],
        ),
        norm(
            [f"{own}.projected", before],
            "attention.output.LayerNorm",
            "attention.output.dense",
            "middle",
        ),
        helper.make_node(
            "MatMul",
            [f"{own}.middle", weight("wide", "intermediate.dense")],
            [f"{own}.widened"],
        ),
        helper.make_node(
            "BiasGelu",
            [f"{own}.widened", bias("wide_bias", "intermediate.dense")],
            [f"{own}.activated"],
            domain="com.microsoft",
        ),
        helper.make_node(
            "MatMul",
            [f"{own}.activated", weight("narrow", "output.dense")],
            [f"{own}.narrowed"],
        ),
        norm([f"{own}.narrowed", f"{own}.middle"], "output.LayerNorm", "output.dense", own),
    ]


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # the quantiser names every tensor it passes by
    write_quantised(Path(sys.argv[1]), Path(sys.argv[2]))
