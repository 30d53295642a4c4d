"""A run does each customer once, within its bounds, and one that fails keeps nobody else from being done."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from automation.errors import RecordError
from automation.fleet import Fleet, Limits, Operation, Progress, Report, Row, not_done, perform
from tests.fleet.conftest import Customers, Work

REFRESH = Operation("refresh")


def _outcomes(report: Report) -> dict[str, str]:
    return {row.customer: row.outcome for row in report.rows}


def _five(customers: Customers) -> None:
    for name in ("a", "b", "c", "d", "e"):
        customers.add(name)


def test_a_broken_record_and_a_failure_are_rows_and_the_others_are_done(customers: Customers) -> None:
    _five(customers)
    customers.add("b", more="on_destroy: never\n")
    work = Work(failing={"d"})
    fleet = Fleet(customers.environment, job=work)
    report = fleet.run(REFRESH, customers.records())
    assert _outcomes(report) == {"a": "succeeded", "b": "failed", "c": "succeeded", "d": "failed", "e": "succeeded"}
    assert sorted(work.began) == ["a", "c", "d", "e"]
    broken, failed = report.bad
    assert broken.error and broken.error[0] == "RecordError" and "b.yaml:4: on_destroy" in broken.error[1]
    assert failed.error == ("DataloopFailed", "no")

    document = json.loads(fleet.report_file(REFRESH).read_text())
    assert document == report.document() | {"summary": document["summary"]}
    assert document["summary"]["failed"] == 2
    assert not_done(fleet.report_file(REFRESH), "prod") == {"b", "d"}
    lines = [json.loads(line) for line in fleet.log_file.read_text().splitlines()]
    assert sorted((line["customer"], line["outcome"]) for line in lines) == sorted(_outcomes(report).items())
    assert all("@" in line["who"] and line["operation"] == "refresh" for line in lines)


def test_who_was_not_done_is_not_forgotten_by_a_run_of_others(customers: Customers) -> None:
    _five(customers)
    everybody = customers.records()

    def run(names: str, failing: str = "") -> Report:
        records = {name: everybody[name] for name in names}
        return Fleet(customers.environment, job=Work(failing=set(failing))).run(REFRESH, records)

    assert run("abcde", failing="bcd").left_over == ()
    report = run("ab", failing="a")
    assert report.ok is False
    assert report.left_over == ("c", "d")
    assert not_done(Fleet(customers.environment).report_file(REFRESH), "prod") == {"a", "c", "d"}
    assert run("d").left_over == ("a", "c")
    (customers.environment.customers_dir / "c.yaml").unlink()  # a customer who has left
    assert run("e").left_over == ("a",)
    assert run("abde").left_over == ()


def test_the_log_is_only_ever_added_to(customers: Customers) -> None:
    _five(customers)
    fleet = Fleet(customers.environment, job=Work())
    fleet.run(REFRESH, customers.records())
    first = fleet.log_file.read_text()
    fleet.run(REFRESH, customers.records())
    assert fleet.log_file.read_text().startswith(first)
    assert fleet.log_file.read_text().count("\n") == 10
    assert fleet.log_file.stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_run_at_once_than_may(customers: Customers, parallel: int) -> None:
    _five(customers)
    work = Work(takes_s=0.05)
    Fleet(customers.environment, Limits(parallel=parallel), job=work).run(REFRESH, customers.records())
    assert max(map(len, work.together)) == parallel


def test_an_account_and_an_organization_have_bounds_of_their_own(customers: Customers) -> None:
    for name in ("a1", "a2", "a3"):
        customers.add(name, organization="org-a")
    customers.add("b1", account="210987654321", organization="org-b")
    customers.add("b2", account="210987654321", organization="org-c")
    work = Work(takes_s=0.05)
    limits = Limits(parallel=5, per_account=2, per_organization=1)
    report = Fleet(customers.environment, limits, job=work).run(REFRESH, customers.records())
    assert report.ok
    assert max(sum(name.startswith("a") for name in now) for now in work.together) == 1, "of one organization"
    assert any({"b1", "b2"} <= now for now in work.together), "of one account, which leaves room for two"


def test_the_rest_begins_once_the_canaries_have_succeeded(customers: Customers) -> None:
    _five(customers)
    work = Work(takes_s=0.05)
    Fleet(customers.environment, Limits(parallel=5, canary=2), job=work).run(REFRESH, customers.records())
    assert set(work.began[:2]) == {"a", "b"}
    assert [now for now in work.together if now & {"a", "b"} and now & {"c", "d", "e"}] == []
    assert max(map(len, work.together)) == 3


def test_where_a_canary_fails_the_rest_is_not_begun(customers: Customers) -> None:
    _five(customers)
    work = Work(failing={"b"})
    fleet = Fleet(customers.environment, Limits(canary=2), job=work)
    report = fleet.run(REFRESH, customers.records())
    assert sorted(work.began) == ["a", "b"]
    skipped = [row for row in report.rows if row.outcome == "skipped"]
    assert [(row.customer, row.error) for row in skipped] == [
        (name, ("NotBegun", "Not begun: canary b failed.")) for name in ("c", "d", "e")
    ]
    assert not_done(fleet.report_file(REFRESH), "prod") == {"b", "c", "d", "e"}


def test_a_canary_whose_record_is_broken_has_failed_and_nobody_is_begun(customers: Customers) -> None:
    _five(customers)
    customers.add("b", more="on_destroy: never\n")
    work = Work()
    report = Fleet(customers.environment, Limits(canary=2), job=work).run(REFRESH, customers.records())
    assert work.began == []
    assert report.counts["failed"] == 1
    skipped = ("NotBegun", "Not begun: canary b failed.")
    assert {row.customer: row.error for row in report.rows if row.customer != "b"} == dict.fromkeys("acde", skipped)

    customers.add("b")
    customers.add("e", more="on_destroy: never\n")
    report = Fleet(customers.environment, Limits(canary=2), job=work).run(REFRESH, customers.records())
    assert sorted(work.began) == ["a", "b", "c", "d"], "a broken record behind the canaries stops nobody"


@pytest.mark.parametrize(("most", "begun"), [(0, ["a"]), (1, ["a", "b", "c"]), (None, ["a", "b", "c", "d", "e"])])
def test_nobody_further_is_begun_once_the_budget_of_failures_is_spent(
    customers: Customers, most: int | None, begun: list[str]
) -> None:
    _five(customers)
    work = Work(failing={"a", "c"})
    limits = Limits(parallel=1, max_failures=most)
    report = Fleet(customers.environment, limits, job=work).run(REFRESH, customers.records())
    assert work.began == begun
    assert report.counts["skipped"] == 5 - len(begun)


def test_mistaken_records_spend_the_budget_before_anybody_is_begun(customers: Customers) -> None:
    _five(customers)
    customers.add("e", more="on_destroy: never\n")
    work = Work()
    report = Fleet(customers.environment, Limits(max_failures=0), job=work).run(REFRESH, customers.records())
    assert (work.began, report.counts["skipped"], report.counts["failed"]) == ([], 4, 1)


def test_a_run_that_is_stopped_begins_nobody_further_and_writes_its_report(customers: Customers) -> None:
    _five(customers)
    fleet = Fleet(customers.environment, Limits(parallel=1), job=Work(during=lambda _: fleet.stop()))
    report = fleet.run(REFRESH, customers.records())
    assert list(_outcomes(report).values()) == ["succeeded", *["skipped"] * 4]
    assert json.loads(fleet.report_file(REFRESH).read_text())["summary"]["skipped"] == 4


def test_the_report_is_true_while_the_run_is_under_way(customers: Customers) -> None:
    _five(customers)
    seen: list[dict[str, str]] = []

    def look(customer: str) -> None:
        if customer == "b":
            document = json.loads(fleet.report_file(REFRESH).read_text())
            seen.append({row["customer"]: row["outcome"] for row in document["customers"]})

    told: list[Progress] = []
    fleet = Fleet(
        customers.environment, Limits(parallel=1), on_progress=told.append, job=Work(during=look, takes_s=0.1)
    )
    fleet.run(REFRESH, customers.records())
    assert seen[0]["a"] == "succeeded"
    assert [seen[0][name] for name in ("c", "d", "e")] == ["skipped"] * 3
    assert max(len(progress.running) for progress in told) == 1
    assert [row.customer for progress in told for row in progress.ended] == ["a", "b", "c", "d", "e"]
    assert any(progress.running == ("b",) and _outcomes(progress.report)["b"] == "interrupted" for progress in told), (
        "who runs is interrupted, should the run be killed now"
    )


def test_a_report_that_cannot_be_written_is_told_before_anybody_is_begun(customers: Customers) -> None:
    _five(customers)
    work = Work()
    with pytest.raises(RecordError, match=r"cannot be written: No such file or directory: nothing was begun"):
        Fleet(customers.environment, job=work).run(
            REFRESH, customers.records(), customers.environment.project_dir / "nowhere" / "report.json"
        )
    assert work.began == []


class _LosingWorkers(Executor):
    """Pickles its jobs, as one of other processes does, and loses the first one."""

    def __init__(self) -> None:
        self._lost = False

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        fn, args = pickle.loads(pickle.dumps((fn, args)))  # noqa: S301 - our own
        future: Future[Any] = Future()
        if self._lost:
            future.set_result(pickle.loads(pickle.dumps(fn(*args))))  # noqa: S301 - our own
        else:
            self._lost = True
            future.set_exception(RuntimeError("the worker went away"))
        return future


def _succeed(environment: object, customer: str, operation: object) -> Row:
    return Row(customer, "succeeded", attempts=1)


def test_another_executor_gets_what_can_be_pickled_and_a_lost_worker_is_a_failed_row(customers: Customers) -> None:
    _five(customers)
    fleet = Fleet(customers.environment, executor=_LosingWorkers(), job=_succeed)
    report = fleet.run(REFRESH, customers.records())
    assert list(_outcomes(report).values()) == ["failed", *["succeeded"] * 4]
    assert report.bad[0].error == ("RuntimeError", "the worker went away")
    assert pickle.loads(pickle.dumps(perform)) is perform  # noqa: S301 - our own
