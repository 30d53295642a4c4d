"""Adopts a connection that people made by hand: reports, and on the word takes it over into the stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from automation.connection import MAX_KEY_AGE_DAYS, Connection
from automation.errors import NoSuchStack
from automation.results import Outcome
from dataloop_sts import adoption
from dataloop_sts.adopted import Adopted
from dataloop_sts.adoption import Known, Report, look_at_groups
from dataloop_sts.audit import Facts
from dataloop_sts.aws import Aws
from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import DataloopStsError
from dataloop_sts.live import Unseen, User, look


class AdoptionRefused(DataloopStsError):  # noqa: N818
    """Nothing was adopted, and nothing was touched; the report says why."""


@dataclass(frozen=True)
class Adoption:
    """What is there, and what a run would take over.

    Attributes:
        connection: the connection.
        report: for people and programs.
        adopted: what :meth:`apply` takes over.
    """

    connection: Connection
    report: Report
    adopted: Adopted

    @classmethod
    def of(cls, connection: Connection) -> Adoption:
        """Looks at what is there; changes nothing.

        Raises:
            AwsError, DataloopError: the credentials or the token are wrong, or there was no answer.
            StackError: the stack cannot be read.
        """
        spec, environment = connection.spec, connection.environment
        aws = Aws(spec.aws.region, deploy_role=spec.aws.deploy_role)
        client = DataloopClient.shared({**os.environ, **connection.variables()})
        live = look(spec, environment.name, aws, client)
        user = live.user
        groups = user.groups if isinstance(user, User) and not isinstance(user.groups, Unseen) else ()
        facts = Facts(
            spec=spec,
            environment=environment.name,
            live=live,
            now=datetime.now(UTC),
            max_key_age_days=MAX_KEY_AGE_DAYS,
            customer=None if connection.own_stack else spec.customer,
        )
        known = _known(connection)
        report = adoption.report(facts, known, look_at_groups(aws.iam(), groups))
        return cls(connection, report, adoption.plan(facts, known))

    def apply(self) -> Outcome:
        """Takes everything over and brings it to the spec; the old key goes in a run of its own, the last.

        Interrupted, it is gone on with by looking again and applying that.

        Raises:
            AdoptionRefused: something forbids it; nothing was touched.
            StackError: the engine, the preflight or a provider refused; the message says why.
        """
        if self.report.refusals:
            raise AdoptionRefused("Nothing was adopted, and nothing was touched: the report says why.")
        outcome = self.connection.up(adopted=self.adopted)
        return self.connection.up() if self.adopted.needs_another_run else outcome


def _known(connection: Connection) -> Known:
    try:
        return Known.of(connection.state().get("resources") or [])
    except NoSuchStack:
        return Known()
