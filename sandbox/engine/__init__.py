"""Pulumi's engine for the sandbox: found on PATH, installed by the official installer, or built; and its plugins."""

from sandbox.engine.engines import Engine, EngineError, ensure, locate
from sandbox.engine.plugins import Plugin, ensure_plugins

__all__ = ["Engine", "EngineError", "Plugin", "ensure", "ensure_plugins", "locate"]
