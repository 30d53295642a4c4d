"""The one error of the engine's set-up."""

from sandbox import SandboxError


class EngineError(SandboxError):
    """The engine, or a plugin of it, is missing and could not be got; the message says what to do."""
