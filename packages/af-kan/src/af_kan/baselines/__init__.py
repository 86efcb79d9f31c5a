"""The networks that AF-KAN is compared with."""
