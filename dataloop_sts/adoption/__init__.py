"""Adopts what people made by hand: a report of what is there, what would become of it, and what a run takes over."""

from __future__ import annotations

from dataloop_sts.adoption.groups import look_at_groups
from dataloop_sts.adoption.known import Known
from dataloop_sts.adoption.plan import plan
from dataloop_sts.adoption.report import Danger, Report, Row
from dataloop_sts.adoption.reporting import report

__all__ = ["Danger", "Known", "Report", "Row", "look_at_groups", "plan", "report"]
