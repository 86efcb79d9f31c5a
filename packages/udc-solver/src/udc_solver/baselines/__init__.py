"""What a learned solver is compared with: rules, local search, exact methods and public solvers."""
