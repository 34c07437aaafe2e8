"""A stand-in for W&B's server, on loopback: enough of it for sweeps, agents, runs, their files, and `wandb sync`.

with WandbServer() as server:
    subprocess.run([sys.executable, "-m", "wandb", "sweep", "file.yaml"], env={**os.environ, **server.client(folder)})
    print(server.sweeps, server.runs)
"""

from tests.wandb_server.client import Client, as_sent
from tests.wandb_server.faults import Fault
from tests.wandb_server.server import KEY, WandbServer
from tests.wandb_server.store import Run, Sweep

__all__ = ["KEY", "Client", "Fault", "Run", "Sweep", "WandbServer", "as_sent"]
