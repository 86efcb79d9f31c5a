"""Other ways to train binary weights, with the interface of `biper.layers`."""
