"""The embedded default world: an AWS, a Dataloop and the Pulumi engine, on loopback, without accounts."""


class SandboxError(Exception):
    """Something a user can mend: one line that says what happened, to what, and what to do next."""
