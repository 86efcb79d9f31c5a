"""Training: of models with one loss, of blocks one by one, and of all blocks as one batched computation."""
