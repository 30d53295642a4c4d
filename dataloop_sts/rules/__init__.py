"""The rules that a connection is held to, as pure functions: the policy pack and the program's own check share them.

They import nothing but the standard library, so that the policy pack's environment stays small.
"""
