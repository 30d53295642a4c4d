"""One customer's connection, with all that can be done with it; what each command does has a module of its own.

Those modules are imported when they are needed: they bring the clients of AWS and Dataloop along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automation import rotation
from automation.rotation import Rotation
from automation.stack import Stack
from dataloop_sts.spec import ConnectionSpec

if TYPE_CHECKING:
    from automation.repair.mending import Finding
    from dataloop_sts import audit
    from dataloop_sts.steps import verify

MAX_KEY_AGE_DAYS = 90
"""The age from which AWS's own rules call an access key old.

https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-3
"""


@dataclass(frozen=True)
class Connection(Stack):
    """One customer's connection in one environment.

    Example:
        >>> connection = Connection.of(find(Environment.of("prod", Path.cwd()), "acme"), timeout_s=900)
        >>> if connection.preview().changed:
        ...     connection.up()
        >>> connection.verify().ok
        True
    """

    def verify(self) -> verify.Report:
        """Proves by real calls that the connection works, and that what must be refused is; ``ok`` tells.

        Raises:
            NoSuchStack: there is no connection.
            StackError: the state cannot be read.
            DataloopError: the token is wrong, or there was no answer.
        """
        from automation.verification import verify_connection

        return verify_connection(self)

    def rotate(
        self,
        *,
        older_than: int | None = None,
        finish: bool = False,
        save: Callable[[ConnectionSpec], None] | None = None,
    ) -> Rotation:
        """Makes a new access key, proved and handed over before the old one goes.

        The spec asks for a key by its generation. Where there is a record, its file is edited first. Without one the
        spec of :attr:`Rotation.spec` has to be kept in the place of the former one; with ``save`` it is kept in time,
        so that also a service that is killed goes on with it.

        Args:
            older_than: days; nothing is done while the key in use is younger.
            finish: instead, delete the former key, once its days of grace are over.
            save: gets the spec that asks for the other key, before anything is done. Where it raises, nothing is.

        Raises:
            NoSuchStack, RecordError, DataloopStsError: nothing was begun.
            RotationStopped: the update failed or was interrupted; the same call, or ``up``, with the spec that was
                saved goes on with it.
        """
        return rotation.rotate(self, older_than=older_than, finish=finish, save=save)

    def audit(self, *, max_key_age_days: int = MAX_KEY_AGE_DAYS, use_state: bool = True) -> audit.Report:
        """Compares what is live with the spec and with what the stack remembers; changes nothing.

        Args:
            max_key_age_days: from when on an access key is old.
            use_state: whether the stack's state is asked, and calls are made with its key.

        Raises:
            AwsError, DataloopError, StackError: it could not be looked at.
        """
        from automation.auditing import audit_connection

        return audit_connection(self, max_key_age_days=max_key_age_days, use_state=use_state)

    def repair(self, on_finding: Callable[[Finding], None] | None = None) -> tuple[Finding, ...]:
        """Mends the stack after a run that was killed; nothing is found where nothing is broken.

        A lock goes only where its process is dead.

        Args:
            on_finding: gets each thing when it is done, so also what was done before an error.

        Raises:
            StackLocked: a run lives, or may live on another machine; nothing was touched.
            NoSuchStack: no run ever began.
            StackError, AwsError: the state cannot be read or written, AWS cannot be looked at.
        """
        from automation.repair.mending import repair

        findings: list[Finding] = []
        for finding in repair(self):
            findings.append(finding)
            if on_finding:
                on_finding(finding)
        return tuple(findings)
