"""Where a secret must not be: searched for by its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drills.leftovers import Arguments, assert_no_secret, contents


def test_no_secret_reaches_state_logs_events_outputs_or_process_arguments(project: Any, tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    project.plain = True
    project.extra = {"PULUMI_DEBUG_COMMANDS": "true"}  # offers --event-log
    with Arguments() as arguments:
        said = [
            project.preview("--diff").ok().output,
            project.up("--event-log", str(events), "--diff", "-v=5", "--logtostderr").ok().output,
        ]
        project.spec["drivers"][0]["allow_delete"] = True
        said += [
            project.preview("--diff", "--json").ok().output,
            project.up("--event-log", str(events)).ok().output,
            project.refresh("--diff").ok().output,
            project.pulumi("stack", "--show-urns", "--stack", project.stack).ok().output,
            project.pulumi("stack", "output", "--json", "--stack", project.stack).ok().output,
            project.pulumi("stack", "export", "--stack", project.stack).ok().output,
        ]
        # a failing update is where secrets like to slip out
        project.world.fault("PATCH", "/drivers/", status=500, times=20)
        project.spec["drivers"][0]["allow_delete"] = False
        said.append(project.up().refused("500").output)
        project.world.clear_faults()
    _, secret = project.access_key()
    token = project.world.ready.dataloop.token
    assert len(secret) >= 40
    assert any("dataloop_sts.verify" in line for line in arguments.seen), "the watch has to see the steps"

    backend = Path(project.world.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    home = Path(project.world.environment["PULUMI_HOME"])
    texts = contents([events, home.parent / "serve.log", backend, home, project.folder])
    assert any(place.endswith(f"/{project.stack}.json") for place in texts)
    texts |= {f"output {number}": text.encode() for number, text in enumerate(said)}
    texts["process arguments"] = "\n".join(arguments.seen).encode()
    assert_no_secret({secret: "the secret access key", token: "the token"}, texts)
