"""The networks: object prior, control branch, autoencoder, image encoders and texture."""
