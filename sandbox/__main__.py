"""`python -m sandbox`: hands over to the command line in sandbox.cli."""

from sandbox.cli import main

if __name__ == "__main__":
    main()
