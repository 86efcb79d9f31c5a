"""How the claims of Shi et al. (2025), GenBaB, and Zhou et al. (2024), BICCOS, are measured, in this order."""

from . import biccos, genbab

nonlinearities = genbab.nonlinearities
multi_dimensional = genbab.multi_dimensional
general_graphs = genbab.general_graphs
competition = genbab.competition
cutting_planes = biccos.cutting_planes
scale = biccos.scale
