"""SLURM on this machine, as two nodes and without systemd; and programs that stand in for SLURM's."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
CONF = """
ClusterName=poolab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.sock,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=10
ReturnToService=2
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=1000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=01:00:00 State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=ALL MaxTime=01:00:00 State=UP PriorityTier=9 PreemptMode=OFF
"""
# requeued jobs wait for cred_expire, two minutes unless told otherwise


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes that are this machine, for the length of a module."""
    missing = [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if missing:
        pytest.skip(f"SLURM is not installed ({', '.join(missing)}): make slurm-packages")
    if os.geteuid() != 0:
        pytest.skip("SLURM's daemons start jobs, for which they have to be root's")
    place = tmp_path_factory.mktemp("slurm")
    (place / "state").mkdir()
    (place / "munge.key").write_bytes(os.urandom(1024))
    (place / "munge.key").chmod(0o400)
    (place / "slurm.conf").write_text(CONF.format(host=socket.gethostname().split(".")[0], place=place, ports=free(3)))
    daemons = []

    def start(name, *words):
        with open(place / f"{name}{len(daemons)}.log", "w") as log:
            program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
            daemons.append(subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(place / "slurm.conf"))
        patch.setenv("OMP_NUM_THREADS", "1")
        try:
            files = {"socket": "munge.sock", "key-file": "munge.key", "seed-file": "seed", "pid-file": "munged.pid"}
            words = [f"--{key}={place / name}" for key, name in {**files, "log-file": "munged.log"}.items()]
            start("munged", "--foreground", "--force", "--num-threads=2", *words)
            until(lambda: (place / "munge.sock").exists(), 20, "munged", place)
            start("slurmctld", "-D", "-c")
            start("slurmd", "-D", "-N", "n1")
            start("slurmd", "-D", "-N", "n2")
            until(lambda: asked("sinfo", "-h", "-o", "%t").split() == ["idle"], 30, "the nodes", place)
            yield place
            asked("scancel", "--user=root")
            until(lambda: not asked("squeue", "-h"), 30, "the end of the jobs", place)
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
            for daemon in daemons:
                try:
                    daemon.wait(10)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()


@pytest.fixture
def studied(tmp_path, monkeypatch):
    """Writes a study of poolings and seeds into a folder of its own, which becomes the working folder."""
    monkeypatch.chdir(tmp_path)

    def write(name, poolings=("max",), seeds=(3,)):
        parameters = {"pooling": {"values": list(poolings)}, "seed": {"values": list(seeds)}}
        command = ["${env}", "${interpreter}", "${program}", "${args_no_hyphens}"]
        content = {"program": "train.py", "method": "grid", "parameters": parameters, "command": command}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(content))
        return f"{name}.yaml"

    return write


class StandIns:
    """Programs on the PATH that answer as SLURM's would, and note how they were called."""

    def __init__(self, place):
        self.place = place

    def __call__(self, name, says="", code=0):
        (self.place / f"{name}.says").write_text(says)
        path = self.place / name
        path.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"open({str(self.place / 'calls')!r}, 'a').write(json.dumps([{name!r}, *sys.argv[1:]]) + '\\n')\n"
            f"text = open({str(self.place / f'{name}.says')!r}).read()\n"
            f"(sys.stderr if {code} else sys.stdout).write(text)\nsys.exit({code})\n"
        )
        path.chmod(0o755)

    @property
    def calls(self):
        import json

        path = self.place / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Makes programs that stand in for SLURM's; none of the real ones is on the PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("bash", "env", "sh"):
        (place / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(place))
    return StandIns(place)


def free(count):
    """Ports that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def asked(*words):
    """What a program of SLURM's prints."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout


def until(true, seconds, what, place=None):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            logs = "\n".join(f"== {path}\n{path.read_text()[-2000:]}" for path in place.glob("*.log")) if place else ""
            pytest.fail(f"waited {seconds} s for {what}\n{logs}")
        time.sleep(0.2)
