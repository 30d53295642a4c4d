"""A service that signs customers up, written as a user of dataloop-sts would: README.md tells what to copy."""
