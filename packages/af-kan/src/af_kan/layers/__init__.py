"""The AF-KAN layer: grid, activation, combination, features, normalization, reduction."""
