"""The architectures of the paper, in plain PyTorch."""
