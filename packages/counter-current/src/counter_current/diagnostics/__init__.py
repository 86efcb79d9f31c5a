"""What can be seen of a network: alignment, features and cost."""
