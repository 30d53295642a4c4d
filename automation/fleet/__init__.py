"""The fleet: one operation on many customers at once, with limits and a report."""

from automation.fleet.dask import dask_workers
from automation.fleet.fleet import Fleet, Progress
from automation.fleet.jobs import perform
from automation.fleet.operation import Operation
from automation.fleet.queue import Limits
from automation.fleet.report import Report, not_done
from automation.fleet.rows import Row

__all__ = ["Fleet", "Limits", "Operation", "Progress", "Report", "Row", "dask_workers", "not_done", "perform"]
