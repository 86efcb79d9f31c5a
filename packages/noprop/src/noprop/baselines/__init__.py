"""What NoProp is compared with: the same blocks trained by back-propagation, a neural ODE, and Forward-Forward."""
