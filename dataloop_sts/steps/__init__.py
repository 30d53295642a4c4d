"""The small programs that ``pulumi_command`` runs: each proves, refuses or mends what no resource can.

One is started as ``python -m dataloop_sts.NAME`` with its request on standard input, :mod:`dataloop_sts.steps.frame`.
Those command lines are in the state of every stack, and are run out of it again: they are a contract.
"""
