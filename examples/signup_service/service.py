"""The service: signs customers up, rotates their keys and lets them go; a crash or an outage loses nothing.

Each call is about one customer, and returns when the work is done: call it from threads (``in_threads.py``) or from
asyncio (``in_asyncio.py``). What came of it is in the store, for the page that the customer sees.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from automation import Connection, Environment, Progress
from automation.errors import Interrupted, NoSuchStack, Refused, RotationStopped
from dataloop_sts import ConnectionSpec, DataloopStsError
from examples.signup_service.store import Customer, Store

OnProgress = Callable[[str, Progress], None]
DELAYED = "This takes longer than it should. We are on it; you need not do anything."
_log = logging.getLogger(__name__)


class Signups:
    """The customers of one environment.

    Args:
        environment: where their connections live.
        store: where their specs are kept.
        on_progress: hears each step of each customer's run, in a thread of that run: be quick in it.
        timeout_s: seconds that one run may take.
    """

    def __init__(
        self, environment: Environment, store: Store, on_progress: OnProgress | None = None, timeout_s: float = 900
    ) -> None:
        self._environment, self._store = environment, store
        self._on_progress, self._timeout_s = on_progress, timeout_s
        self._running: dict[object, Connection] = {}
        self._closing = False

    def parse(self, form: object) -> ConnectionSpec:
        """What a customer asks for.

        Raises:
            SpecError: its ``problems`` have a path and a message each, to be shown beside the fields of the form.
        """
        return ConnectionSpec.parse(form, environment=self._environment.name)

    def connection(self, spec: ConnectionSpec) -> Connection:
        """A customer's connection."""

        def hear(step: Progress) -> None:
            if self._on_progress:
                self._on_progress(spec.customer, step)

        return Connection(self._environment, spec, on_event=hear, timeout_s=self._timeout_s)

    def sign_up(self, spec: ConnectionSpec) -> Customer:
        """Connects a customer, or changes its connection. Call it again with a mended spec after a refusal."""
        known = self._store.find(spec.customer)
        if known and known.status != "removed":  # a form knows nothing of the key's rotations
            spec = spec.model_copy(update={"access_key": known.spec.access_key})
        self._store.keep(spec, "connecting")  # before anything is made: after a crash, go_on() knows of it
        return self._do(spec.customer, Connection.up)

    def rotate(self, name: str, older_than_days: int | None = None) -> Customer:
        """Gives a customer's connection a new access key; does nothing while the one in use is younger than that."""

        def keep(spec: ConnectionSpec) -> None:  # before the key is made: after a crash, go_on() finishes it
            self._store.keep(spec, "connecting")

        return self._do(name, lambda connection: connection.rotate(older_than=older_than_days, save=keep))

    def remove(self, name: str) -> Customer:
        """Takes a customer's connection away. What becomes of its bucket, the spec says (``on_destroy``)."""
        self._store.mark(name, "removing")
        return self._do(name, _take_away)

    def under_way(self) -> list[str]:
        """Who is to be gone on with: look when the service starts, and every few minutes, since outages end."""
        return [customer.name for customer in self._store.with_status("connecting", "removing")]

    def go_on(self, name: str) -> Customer:
        """Goes on with a customer after a crash, a shutdown or a failure that is not the customer's."""
        work = _take_away if self._known(name).status == "removing" else Connection.up

        def mend_and_work(connection: Connection) -> None:
            with suppress(NoSuchStack):  # the crash came before anything was made
                for finding in connection.repair():  # a lock of a dead run, and what that had begun
                    _log.warning("%s: %s", name, finding.text)
            work(connection)

        return self._do(name, mend_and_work)

    def close(self) -> None:
        """Begins no further run, and ends those under way cleanly; ``under_way`` has them for the next start."""
        self._closing = True
        while running := list(self._running.values()):  # again and again: one may be between two commands
            with ThreadPoolExecutor(len(running)) as threads:
                list(threads.map(Connection.cancel, running))

    def _known(self, name: str) -> Customer:
        customer = self._store.find(name)
        if customer is None:
            raise LookupError(f"There is no customer {name}.")
        return customer

    def _do(self, name: str, work: Callable[[Connection], object]) -> Customer:
        """Does the work, and notes what came of it: it is done, or the customer has to act, or we have to."""
        customer = self._known(name)
        try:
            with self._open(customer.spec) as connection:
                work(connection)
        except Refused as error:  # nothing was touched: a bucket's name is taken, a project is not there ...
            self._store.mark(name, "refused", " ".join(error.problems))
        except DataloopStsError as error:  # an outage, a lock, an interrupt, a mistake of ours: go_on() tries again
            reason = error.reason if isinstance(error, RotationStopped) else error
            _log.error("%s: %s: %s", name, type(reason).__name__, error)
            self._store.mark(name, self._known(name).status, DELAYED)
        else:
            self._store.mark(name, "removed" if customer.status == "removing" else "connected")
        return self._known(name)

    @contextmanager
    def _open(self, spec: ConnectionSpec) -> Iterator[Connection]:
        connection, token = self.connection(spec), object()
        self._running[token] = connection
        try:
            if self._closing:
                raise Interrupted("The service is shutting down.")
            yield connection
        finally:
            del self._running[token]


def _take_away(connection: Connection) -> None:
    with suppress(NoSuchStack):  # it was never made
        connection.destroy()
