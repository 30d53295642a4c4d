"""Dataloop's TEST as the providers use it: waiting for it to pass, and which drivers pass it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dataloop_sts.dataloop import DataloopClient
from dataloop_sts.errors import DriverTestFailed
from dataloop_sts.waiting import attempts, settle_seconds


def settled_test(test: Callable[[], None], step: str) -> None:
    """Calls Dataloop's TEST until it passes, for as long as a new key may take to be known everywhere.

    Args:
        test: one TEST.
        step: which one, for the error.

    Raises:
        DriverTestFailed: it did not pass in time; the platform's last reason is in the message.
    """
    for _ in attempts(settle_seconds()):
        try:
            return test()
        except DriverTestFailed as error:
            last = error
    raise last.recast(DriverTestFailed, what=f"Dataloop's TEST of {last.resource} {step} failed") from None


def working_drivers(client: DataloopClient, integration_id: str) -> list[str]:
    """The ids of an integration's drivers that pass TEST now.

    One that fails already, of somebody else's or because its own change comes later, is no sign of bad keys.
    """
    return [driver.id for driver in client.drivers(integration_id=integration_id) if _passes(client, driver.id)]


def require_working(client: DataloopClient, driver_ids: Sequence[str]) -> None:
    """TESTs drivers after their integration's update, each until it passes.

    Raises:
        DriverTestFailed: as for :func:`settled_test`.
    """
    for driver_id in driver_ids:
        settled_test(lambda id_=driver_id: client.test_driver(id_), "after its integration's update")  # type: ignore[misc]


def _passes(client: DataloopClient, driver_id: str) -> bool:
    try:
        client.test_driver(driver_id)
    except DriverTestFailed:
        return False
    return True
