"""The command line of the sandbox: `python -m sandbox`."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sandbox import SandboxError
from sandbox.instance import STATE_DIR_VARIABLE, Instance, Status
from sandbox.ready import FOREIGN_VARIABLES

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A world of its own on loopback for this checkout: an AWS, a Dataloop, and Pulumi's engine to use them with. "
    'Begin with `python -m sandbox setup`, `python -m sandbox up` and `eval "$(python -m sandbox env)"`; after that '
    "`pulumi up` and `pulumi destroy` work as they do elsewhere. Nothing in it is real; nothing leaves the machine.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]


def main() -> NoReturn:
    """Run the command line; what a user can mend is one line on stderr and exit code 1."""
    try:
        app(prog_name="python -m sandbox")
    except SandboxError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that cannot be written, ...
        what = ": ".join(str(part) for part in (error.strerror or error, error.filename) if part)
        typer.echo(f"Error: {what}; mend that, then try again", err=True)
        sys.exit(1)
    sys.exit(0)


@app.callback()
def choose_instance(
    context: typer.Context,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar=STATE_DIR_VARIABLE,
            help="Folder of another sandbox than this checkout's (its own is .sandbox/): for tests that need several.",
        ),
    ] = None,
) -> None:
    context.obj = state_dir


@app.command()
def serve(
    ready_file: Annotated[Path, typer.Option(help="Written, whole and private, once AWS and Dataloop both answer.")],
    aws_port: Port = 0,
    dataloop_port: Port = 0,
    pid_file: Annotated[
        Path | None,
        typer.Option(
            help="Holds the process id, and is locked while the sandbox lives; it ends when the file vanishes."
        ),
    ] = None,
) -> None:
    """Run a sandbox in the foreground until Ctrl-C or SIGTERM (`up` starts one in the background)."""
    from sandbox.serve import serve as serve_until_stopped

    serve_until_stopped(
        ready_file.absolute(),
        aws_port=aws_port,
        dataloop_port=dataloop_port,
        pid_file=pid_file and pid_file.absolute(),
        report=typer.echo,
    )


@app.command()
def up(context: typer.Context, as_json: AsJson = False) -> None:
    """Start this checkout's sandbox in the background and wait until it answers; fine where it runs already."""
    instance = _instance(context)
    started = instance.up()
    status = instance.status()
    if as_json:
        _print_json(_described(status) | {"started": started})
    else:
        typer.echo("The sandbox is up." if started else "The sandbox is already up.")
        _print_status(status)
        typer.echo('Use it in this shell:  eval "$(python -m sandbox env)"')
    _tell_notice(status)


@app.command()
def down(context: typer.Context, as_json: AsJson = False) -> None:
    """Stop this checkout's sandbox, and with it everything in its AWS and Dataloop; fine where none runs."""
    was_running = _instance(context).down()
    if as_json:
        _print_json({"running": False, "stopped": was_running})
    else:
        typer.echo("The sandbox is down." if was_running else "The sandbox was not running.")


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether this checkout's sandbox runs, where it answers, and which Pulumi stacks remember it."""
    status = _instance(context).status()
    if as_json:
        _print_json(_described(status))
    else:
        _print_status(status)
    _tell_notice(status)


@app.command()
def env(context: typer.Context, as_json: AsJson = False) -> None:
    """Print the variables of this checkout's sandbox for a POSIX shell: eval "$(python -m sandbox env)".

    The keys, token and passphrase among them are worth nothing outside this sandbox. The passphrase replaces one that
    is set, since Pulumi.dev.yaml belongs to it. PATH gets the engine and .venv/bin, in front; variables of a real AWS
    or Dataloop environment are unset. Where no sandbox runs, nothing is printed on stdout and the exit code is 1.
    """
    instance = _instance(context)
    variables = instance.environment()
    if as_json:
        _print_json({"set": variables, "unset": list(FOREIGN_VARIABLES)})
    else:
        for name, value in variables.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        typer.echo(f"unset {' '.join(FOREIGN_VARIABLES)}")
    _tell_notice(instance.status())


@app.command()
def reset(context: typer.Context, as_json: AsJson = False) -> None:
    """Stop the sandbox and forget its Pulumi stacks; only this checkout's .sandbox/ is touched, plugins stay."""
    forgotten = _instance(context).reset()
    if as_json:
        _print_json({"running": False, "forgotten": [each.model_dump() for each in forgotten]})
        return
    for each in forgotten:
        typer.echo(f"Forgot stack {each.stack} of {each.project} ({each.resources} resources).")
    typer.echo("The sandbox is down, and its Pulumi backend is empty. Begin again:")
    stack = forgotten[0].stack if forgotten else "dev"
    typer.echo(f'python -m sandbox up && eval "$(python -m sandbox env)" && pulumi stack select --create {stack}')


@app.command()
def setup(context: typer.Context, as_json: AsJson = False) -> None:
    """Get Pulumi's engine and its plugins ready for this checkout; nothing is done where they are."""
    # Imported here: the engine's set-up is of no interest to the other commands.
    from sandbox import engine

    instance = _instance(context)
    instance.prepare()
    found = engine.ensure(_progress)
    plugins = engine.ensure_plugins(found, instance.pulumi_home, _progress)
    if as_json:
        _print_json(
            {
                "engine": {"version": found.version, "source": found.source, "language_host": found.language_host},
                "plugins": [{"name": each.name, "version": each.version, "source": each.source} for each in plugins],
            }
        )
        return
    typer.echo(f"engine    pulumi {found.version} ({found.source}, {found.language_host} language host)")
    for each in plugins:
        typer.echo(f"plugin    {each.name} {each.version} ({each.source})")


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which engine, language host and plugins are in use, and what is missing, with the mend; exit code 1 then."""
    from sandbox.engine.doctor import report

    found = report(_instance(context).state_dir)
    if as_json:
        _print_json(found.as_dict())
    else:
        for line in found.lines():
            typer.echo(line)
    if not found.ok:
        raise typer.Exit(1)


def _instance(context: typer.Context) -> Instance:
    return Instance(state_dir=context.obj)


def _described(status: Status) -> dict[str, Any]:
    ready = status.ready
    return {
        "running": status.running,
        "ready": ready is not None,
        "pid": status.pid,
        "since": status.since and status.since.isoformat(timespec="seconds"),
        "aws_endpoint_url": ready and ready.aws.endpoint_url,
        "dataloop_api_url": ready and ready.dataloop.api_url,
        "control_url": ready and ready.dataloop.control_url,
        "state_dir": str(status.state_dir),
        "stacks": [each.model_dump() for each in status.stacks],
        "notice": status.notice,
    }


def _print_status(status: Status) -> None:
    if status.pid is None or status.since is None:
        typer.echo("not running (python -m sandbox up starts it)")
    else:
        state = "running" if status.ready else "starting"
        typer.echo(f"{state}   process {status.pid}, since {status.since.astimezone():%Y-%m-%d %H:%M:%S}")
    if status.ready:
        typer.echo(f"AWS       {status.ready.aws.endpoint_url}")
        typer.echo(f"Dataloop  {status.ready.dataloop.api_url}")
    for each in status.stacks:
        typer.echo(f"stack     {each.stack} of {each.project}, {each.resources} resources remembered")


def _tell_notice(status: Status) -> None:
    if status.notice:
        typer.echo(f"Note: {status.notice}", err=True)


def _print_json(value: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(value, indent=2))


def _progress(line: str) -> None:
    typer.echo(line, err=True)
