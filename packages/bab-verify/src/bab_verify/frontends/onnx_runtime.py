"""ONNX Runtime: sessions, and what they raise."""

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

RUNTIME_ERRORS = (
    RuntimeError,
    ValueError,
    *(
        getattr(runtime, name)
        for name in (
            "Fail",
            "InvalidArgument",
            "InvalidGraph",
            "InvalidProtobuf",
            "NoSuchFile",
            "NotImplemented",
            "RuntimeException",
        )
        if hasattr(runtime, name)
    ),
)
"""What ONNX Runtime raises."""

NO_KERNEL = (runtime.NotImplemented,)
"""What it raises where it has no implementation of an operator for the types that it is given."""


def session(model: bytes) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one thread of the CPU, without messages."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
