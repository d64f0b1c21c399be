"""The command line: one verb per file, one console for all output.

Modules here import typer and the standard library at the top; what a verb needs is imported when it runs, so that
`--help` and tab completion stay fast.
"""
