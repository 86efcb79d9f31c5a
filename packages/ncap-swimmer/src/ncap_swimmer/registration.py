"""The tasks' names in gymnasium's registry.

Importing this module registers them: `gymnasium.make("ncap_swimmer.registration:ncap_swimmer/Swim-v0")`.
"""

import gymnasium

IDS = {"ncap_swimmer/Swim-v0": "SwimEnv", "ncap_swimmer/Navigate-v0": "NavigateEnv"}


def register() -> None:
    """Tell gymnasium of the tasks, so that `gymnasium.make` finds them; once is enough, more does no harm."""
    for name, kind in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=f"ncap_swimmer.environments:{kind}")


register()
