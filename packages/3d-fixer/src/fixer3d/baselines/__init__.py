"""What the method is compared with, from the same prior and the same data."""
