"""The Pulumi program of dataloop-sts: `pulumi up` runs this file."""

from dataloop_sts import program

program.run()
