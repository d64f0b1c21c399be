"""How the Pulumi engine, its AWS plugin and the Python language host are found, had and checked.

`locate` says what there is, `install` gets what is missing (PATH, cache, official release, build from the
Go module proxy, in that order), `doctor` explains. `language_host` is the stand-in that a built engine uses.
"""
