"""How networks are trained, chosen, compared and judged."""
