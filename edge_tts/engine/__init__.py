"""Engines run networks: ONNX Runtime anywhere, TensorRT on a Jetson.

Read `contract` (Engine, Buffer, TensorSpec), then `onnxruntime`, then `load`, which places every graph of a model set
on a runtime; `tensorrt/` builds and runs TensorRT engines.
"""
