"""Run the job in NVFlare's simulator: python job.py TRACES samples.json."""

import sys
from pathlib import Path

from nvflare.collab import CollabRecipe
from nvflare.recipe.sim_env import SimEnv
from sites import MODALITY, Server, Site


def main(traces: str, sheet: str, epochs: int = 4) -> None:
    """Two sites and a server, each a process of its own."""
    place, file = str(Path(traces).resolve()), str(Path(sheet).resolve())
    recipe = CollabRecipe(
        job_name="split",
        server=Server(file, epochs),
        client=Site(place, file, epochs),
        min_clients=len(MODALITY),
    )
    recipe.execute(SimEnv(clients=list(MODALITY), workspace_root=f"{place}/workspace"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
