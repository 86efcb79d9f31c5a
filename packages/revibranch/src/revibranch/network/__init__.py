"""The network that ranks candidates: graph encoder, path memory and decoder."""
