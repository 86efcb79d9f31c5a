"""Training: one network through the three stages, and the strategies that train several."""
