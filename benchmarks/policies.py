"""What the policy pack costs a preview and an update: CPU seconds of whole process trees, with it and without.

One connection in a sandbox of its own, by the real engine; medians. An update here changes `allow_delete`, to and fro.
Usage:

    python -m benchmarks.policies [RUNS]
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

from automation.connection import Connection
from automation.environment import Environment
from benchmarks._customers import valid, write_environment, write_record
from benchmarks._measuring import Cost, measured, say, world
from sandbox.instance import find_checkout

ENVIRONMENT, CUSTOMER = "bench", "c1"


def main(arguments: list[str]) -> int:
    """Runs the benchmark, prints a table."""
    runs = int(arguments[0]) if arguments else 3
    with world() as (folder, ready):
        customers = write_environment(folder, ENVIRONMENT, ready)
        flag = False

        def connection(pack: bool) -> Connection:
            line = f"policy_pack: {find_checkout() / 'policy'}\n" if pack else ""
            (customers / "_environment.yaml").write_text(f"sandbox: true\n{line}")
            write_record(customers, CUSTOMER, ready, allow_delete=flag)
            (record,) = valid(Environment.of(ENVIRONMENT, folder))
            return Connection.of(record)

        connection(False).up()
        work: dict[str, Callable[[Connection], object]] = {
            "preview, nothing to do": Connection.preview,
            "up, nothing to do": Connection.up,
            "up, a change": Connection.up,
        }
        costs: dict[str, dict[bool, list[Cost]]] = {what: {False: [], True: []} for what in work}
        for _ in range(runs):
            for what, command in work.items():
                for pack in (False, True):
                    flag = flag != what.endswith("a change")
                    stack = connection(pack)
                    costs[what][pack].append(measured(lambda: command(stack)))  # noqa: B023 - called at once
    say("| CPU seconds | without | with the pack | ratio |\n|---|---|---|---|")
    for what, each in costs.items():
        without, held = (statistics.median(cost.cpu_s for cost in each[pack]) for pack in (False, True))
        say(f"| {what} | {without:.2f} | {held:.2f} | {held / without:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
