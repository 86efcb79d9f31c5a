"""Operations of networks, each with its interval arithmetic and its linear relaxation."""
