"""TensorRT engines: built on the device from ONNX, kept under a key, run through CUDA's runtime by ctypes.

Read `cuda` and `device_buffer` (memory), `trt_engine` and `context` (inference), `profiles` and `build` (ONNX ->
engine), `build_process` (the child that builds), `plan_cache` and `machine` (what is kept, and for which machine).
"""
