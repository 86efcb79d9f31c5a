"""SCIP models, the observation of a node, and the rules to compare with."""
