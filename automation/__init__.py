"""Runs stacks of dataloop-sts from Python and from the command line; the only place that uses Pulumi's automation API."""
