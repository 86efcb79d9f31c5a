"""What the paper claims."""

from separata import Claim, Paper

# TODO: authors, venue, field; a claim for every quantitative or comparative statement of the abstract, its predicate
# written before the first run. The claims here are those of Oja (1982).
PAPER = Paper(
    name="udc-solver",
    title=("UDC: A Unified Neural Divide-and-Conquer Framework for Large-Scale Combinatorial Optimization Problems"),
    year=2024,
    authors=("Given Family",),  # TODO
    venue="",  # TODO
    arxiv="2407.00312",
    field="Representation learning",
    claims=(
        Claim(
            "first-component",
            "A linear neuron under Oja's rule turns to the first principal component",
            metric="|cosine| with the leading eigenvector",
            paper={"oja": 1.0, "random": None},
            labels={"oja": "Oja's rule", "random": "random direction"},
            criterion="above 0.99, and a random direction below; direction: above a random direction",
            holds=lambda m: m["oja"] > 0.99 > m["random"],
            direction=lambda m: m["oja"] > m["random"],
        ),
        Claim(
            "bounded",
            "Its weight stays bounded where plain Hebbian learning's grows without limit",
            metric="norm of the weight after training",
            paper={"oja": 1.0, "hebb": None},
            labels={"oja": "Oja's rule", "hebb": "Hebb's rule"},
            criterion="within 5 % of 1, and above 100 with Hebb's rule",
            holds=lambda m: abs(m["oja"] - 1) < 0.05 and m["hebb"] > 100,
        ),
    ),
)
