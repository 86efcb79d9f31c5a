"""Files of the field: TSPLIB, CVRPLIB, DIMACS and edge lists, and the formats of solutions."""
