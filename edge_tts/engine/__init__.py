"""Engines run networks: ONNX Runtime anywhere, TensorRT on a Jetson. They know nothing about speech.

Read `contract` (Engine, Buffer, TensorSpec), then `onnxruntime`, then `load`, which chooses a runtime for every graph
of a model set; `tensorrt/` holds all that builds and runs TensorRT engines.
"""
