"""The stand-in for pulumi-resource-command: command:local:Command."""
