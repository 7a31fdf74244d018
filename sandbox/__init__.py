"""A stand-in of the loyalty engine for the demo, the benchmarks and the end-to-end tests.

It is a process of its own with real state (SQLite) over real HTTP on loopback, and it can be told
to be slow, to refuse, or to lose a reply. Nothing of the application imports it, and it imports
nothing of the application. Start it with ``python -m sandbox``, or from Python with
``sandbox.control.Sandbox``.
"""
