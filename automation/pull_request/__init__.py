"""What a pull request would do to whom: which customers it changes, the previews of these, and what is risky."""
