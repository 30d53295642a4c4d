"""The fleet on a Dask cluster: orchestrator and workers are lost in the middle, and each customer is done once."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from drills.drill import Drill
from tests.e2e.harness import eventually
from tests.scaling_out.cluster import Cluster, cluster

NAMES = [f"c{number:02}" for number in range(12)]
WORKERS = 3


def _all_work(drill: Drill, made: Cluster) -> bool:
    return len(drill.locks()) == len(made.working) == WORKERS


def test_customers_of_lost_workers_are_done_by_others(drill: Drill, tmp_path: Path) -> None:
    for name in NAMES:
        drill.write(name)
    folder = tmp_path / "cluster"
    folder.mkdir()
    with cluster(folder, drill.environment, WORKERS) as made:
        where = ("--dask", made.address, "--parallel", str(WORKERS))

        killed = drill.start("up", *where)
        eventually(lambda: _all_work(drill, made), seconds=600)
        killed.kill()
        killed.wait()
        drill.say("the orchestrator was killed: the workers end what they have begun")
        eventually(lambda: not drill.locks() and not made.working)

        running = drill.start("up", *where)
        eventually(lambda: _all_work(drill, made), seconds=600)
        made.workers[0].kill()
        drill.say("a worker was killed")
        made.add_worker()
        eventually(lambda: _all_work(drill, made), seconds=600)
        os.kill(made.workers[1].pid, signal.SIGTERM)
        drill.say("a worker was told to end")
        made.workers[1].wait()
        drill.say("it has ended")
        running.wait()
        assert running.returncode == 0
        rows = json.loads((drill.fleet_folder / "up.json").read_text())["customers"]
        # unchanged: the engine of a lost worker came to its end by itself
        assert {row["outcome"] for row in rows} <= {"succeeded", "unchanged"}
        drill.say(f"repaired: {[text for row in rows for text in row['repaired']]}")
        drill.assert_stands(NAMES)
        assert drill.run("verify", *where).counts == {"succeeded": len(NAMES)}
        assert drill.run("up", *where).counts == {"unchanged": len(NAMES)}
        drill.learn_keys(NAMES)
        assert not [secret for secret in drill.secrets if secret in made.logs]
    drill.assert_nothing_left()
