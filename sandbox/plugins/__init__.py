"""Stand-ins for the resource plugins that the program needs, for machines where the official ones cannot be had.

Each stand-in speaks the engine's provider protocol
(https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto), serves the resource types that the program
uses with the official provider's property names, defaults and replacement rules, and refuses everything else by name.
"""
