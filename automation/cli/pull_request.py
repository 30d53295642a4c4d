"""``dataloop-sts pr``: what a pull request would do, and the comment on its page that says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from automation.cli.frame import CHANGES, DONE, FAILED, FINDING, Json, app, common
from automation.environment import Environment
from automation.errors import RecordError
from automation.files import write_whole
from dataloop_sts.errors import Problem

_CODES = {"clean": DONE, "changes": CHANGES, "risky": FINDING, "failed": FAILED}
_REST = "dataloop-sts pr preview --json"
_Base = Annotated[str, typer.Option(metavar="REV", help="Compare with where the head left this revision.")]
_Head = Annotated[
    str | None,
    typer.Option(metavar="REV", help="The records of this revision, none of whose code is run; default: these files."),
]
_Markdown = Annotated[Path | None, typer.Option(metavar="FILE", help="Where the summary is written; else printed.")]
_JsonFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Where all of it is written as JSON.")]
_Parallel = Annotated[int, typer.Option(metavar="N", min=1, help="How many customers at once.")]
_Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=1, help="What one customer's preview may take.")]
_Repository = Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="The repository on GitHub.")]
_Number = Annotated[int, typer.Option("--pr", metavar="N", min=1, help="The pull request's number; or an issue's.")]
_Text = Annotated[Path, typer.Option(metavar="FILE", help="What to say: the file that `pr preview` has written.")]
_ApiUrl = Annotated[
    str,
    typer.Option(metavar="URL", envvar="GITHUB_API_URL", help="GitHub's REST API; of a server of your own /api/v3."),
]
_EditOnly = Annotated[
    bool, typer.Option("--edit-only", help="Make no comment where there is none: nobody is touched any more.")
]
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
commands = typer.Typer(
    no_args_is_help=True,
    help="What a pull request would do to whom: docs/pull-requests.md.",
    epilog="Exit codes of preview: 0 nothing would change, 3 changes, 4 risky ones, 1 a preview failed, 2 bad input.",
)
app.add_typer(commands, name="pr")


@commands.command(
    epilog="Example: dataloop-sts -e prod pr preview --base origin/main --markdown preview.md --json-file preview.json"
)
def preview(
    context: typer.Context,
    base: _Base,
    head: _Head = None,
    markdown: _Markdown = None,
    json_file: _JsonFile = None,
    parallel: _Parallel = 2,
    timeout: _Timeout = 300,
    as_json: Json = False,
) -> None:
    """Preview every customer that a change is about; nothing is deployed, locked or written but the two files."""
    from automation.pull_request.changes import changes_between
    from automation.pull_request.document import Report
    from automation.pull_request.markdown import markdown as summary
    from automation.pull_request.preview import Previewed, Previews

    environment = Environment.of(common(context).environment, Path.cwd())
    changes = changes_between(environment, base, head)
    for file in filter(None, (markdown, json_file)):
        _write(file, "")  # so that no hour of previews ends at a name that is mistyped

    def tell(row: Previewed) -> None:
        ending = "failed" if row.error else "not fully looked at" if row.missing else "done"
        typer.echo(f"{row.stack}: {ending}, {row.duration_s:.1f} s", err=True)

    report = Report(changes, Previews(environment, parallel, timeout, tell).run(changes))
    document = json.dumps(report.document(), indent=1) + "\n"
    text = summary(report, json_file.name if json_file else _REST)
    if json_file:
        _write(json_file, document)
    if markdown:
        _write(markdown, text)
    if as_json or common(context).json:
        typer.echo(document, nl=False)
    elif not markdown:
        typer.echo(text, nl=False)
    raise typer.Exit(_CODES[report.verdict])


@commands.command(
    epilog="Example: dataloop-sts -e prod pr comment --repo acme/connections --pr 7 --markdown preview.md"
)
def comment(
    context: typer.Context,
    repo: _Repository,
    pr: _Number,
    markdown: _Text,
    api_url: _ApiUrl = "https://api.github.com",
    edit_only: _EditOnly = False,
    as_json: Json = False,
) -> None:
    """Comment a pull request on GitHub: one comment for each environment, made once and edited from then on.

    The token is GH_TOKEN or GITHUB_TOKEN of the environment. Exit codes: 0 it is there, 1 GitHub refused, 2 bad input.
    """
    from automation.pull_request.comment import body_of, keep
    from automation.pull_request.github import PullRequest, token_of_environment

    if not _REPOSITORY.fullmatch(repo):
        raise typer.BadParameter("name it as OWNER/NAME, such as acme/connections", param_hint="--repo")
    body = body_of(common(context).environment, markdown)
    kept = keep(PullRequest(repo, pr, token_of_environment(), api_url), body, edit_only=edit_only)
    if as_json or common(context).json:
        typer.echo(json.dumps({"action": kept.action, "url": kept.url, "removed": kept.removed}))
    else:
        typer.echo(f"{kept.action}: {kept.url}" if kept.url else kept.action)


def _write(file: Path, text: str) -> None:
    try:
        write_whole(file, text)
    except OSError as error:
        raise RecordError(f"{file} cannot be written:", [Problem("", str(error.strerror))]) from None
