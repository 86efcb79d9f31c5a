"""Learning rules: objects that give a network's weights their gradients for a batch."""
