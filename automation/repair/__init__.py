"""Mends a stack after a run that was killed: its lock, and what the run had begun and could not note down."""
