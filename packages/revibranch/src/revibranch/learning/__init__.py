"""Replay, credit assignment and training."""
