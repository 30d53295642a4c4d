"""Dynamic providers and steps that need no start of Python: forked, from a process that has imported all.

Most of what a dynamic provider or a step costs is importing Pulumi's SDK, the clients of AWS and Dataloop, and this
package. Where many stacks are run by one process that is done once. Each run still has a provider process of its own,
and each step too, with its own environment, so that nothing of one customer can reach another.
"""
