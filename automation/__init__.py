"""Runs stacks of dataloop-sts from Python and from the command line, through Pulumi's automation API."""
