"""An emulator of the part of Dataloop's REST API that a connection needs, for the sandbox and for tests."""
