"""What networks are compared on."""
