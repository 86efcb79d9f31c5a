"""What is to be shown of a network, and what refutes it."""
