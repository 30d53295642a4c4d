"""`make demo`: the main job end to end, in a sandbox of its own that is thrown away afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from sandbox import SandboxError
from sandbox.engine import EngineError, ensure, ensure_plugins
from sandbox.instance import Instance, find_checkout
from sandbox.inventory import inventory

STACK = "dev"


def main() -> int:
    """Runs the demo; its exit code is 0 where everything held."""
    checkout = find_checkout()
    instance = Instance(checkout, state_dir=checkout / ".sandbox" / "demo")
    try:
        instance.reset()
        return _demo(instance)
    except (SandboxError, EngineError) as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return _failed("interrupted; the next `make demo` starts afresh")
    finally:
        instance.down()


def _demo(instance: Instance) -> int:
    _title("1. A world to try it in: Pulumi's engine, AWS and Dataloop on this machine")
    engine = ensure(_say)
    instance.prepare()
    plugins = ensure_plugins(engine, instance.pulumi_home, lambda _: None)
    instance.up()
    ready = instance.ready()
    _say(f"engine    pulumi {engine.version} ({engine.source}), language host: {engine.language_host}")
    for plugin in plugins:
        _say(f"plugin    {plugin.name} {plugin.version} ({plugin.source})")
    _say(f"AWS       {ready.aws.endpoint_url}")
    _say(f"Dataloop  {ready.dataloop.api_url}")
    before = inventory(ready)
    environment = instance.process_environment()
    _pulumi(instance, environment, "stack", "init", STACK, quiet=True)

    _title(f"2. pulumi up: everything that Pulumi.{STACK}.yaml describes")
    if _pulumi(instance, environment, "up", "--yes", "--skip-preview", "--suppress-outputs"):
        return _failed("`pulumi up` failed")
    outputs = _outputs(instance, environment)
    for name in ("bucket_arns", "user_arn", "role_arn", "access_key_id", "integration_id", "driver_ids"):
        _say(f"{name:<15} {json.dumps(outputs[name])}")

    _title("3. dataloop-sts verify: what must work does, what must be refused is, and Dataloop's TEST passes")
    if _run(["dataloop-sts", "-e", STACK, "verify"], instance, environment):
        return _failed("the verification failed")

    _title("4. dataloop-sts audit: what is live is what the spec says, and nothing else")
    if _run(["dataloop-sts", "-e", STACK, "audit"], instance, environment):
        return _failed("the audit found something")

    _title("5. pulumi up again: nothing to change")
    if _pulumi(instance, environment, "up", "--yes", "--skip-preview", "--suppress-outputs", "--expect-no-changes"):
        return _failed("a second `pulumi up` changed something")

    _title("6. pulumi destroy: everything goes, the integration and the drivers first")
    if _pulumi(instance, environment, "destroy", "--yes", "--skip-preview"):
        return _failed("`pulumi destroy` failed")

    _title("7. What is left")
    left = {kind: sorted(set(names) - set(before[kind])) for kind, names in inventory(ready).items()}
    for kind, names in left.items():
        _say(f"{kind:<22} {', '.join(names) or 'none'}")
    if any(left.values()):
        return _failed("the destroy left something")

    _title("Done. To go on by hand:")
    _say("source .venv/bin/activate && python -m sandbox up")
    _say('eval "$(python -m sandbox env)" && pulumi stack select --create dev && pulumi up')
    return 0


def _pulumi(instance: Instance, environment: Mapping[str, str], *arguments: str, quiet: bool = False) -> int:
    color = "always" if sys.stdout.isatty() else "never"
    stack = ["--stack", STACK] if arguments[0] != "stack" else []
    command = ["pulumi", *arguments, *stack, "--non-interactive", "--color", color]
    return _run(command, instance, environment, quiet=quiet)


def _run(command: Sequence[str], instance: Instance, environment: Mapping[str, str], *, quiet: bool = False) -> int:
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise SandboxError(f"{command[0]} is not on PATH; run: make setup")
    sys.stdout.flush()
    with subprocess.Popen(
        [program, *command[1:]],
        cwd=instance.checkout,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            if not quiet and not line.startswith("@ "):  # the engine's dots
                _say(line.rstrip("\n"))
    return process.returncode


def _outputs(instance: Instance, environment: Mapping[str, str]) -> dict[str, object]:
    answer = subprocess.run(
        ["pulumi", "stack", "output", "--json", "--stack", STACK],
        cwd=instance.checkout,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    outputs: dict[str, object] = json.loads(answer.stdout)
    return outputs


def _title(text: str) -> None:
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")
    sys.stdout.write(f"\n{bold}{text}{plain}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"  {text}\n" if text else "\n")
    sys.stdout.flush()


def _failed(what: str) -> int:
    sys.stderr.write(f"demo: {what}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
