"""Networks as graphs: ONNX files and PyTorch modules."""
