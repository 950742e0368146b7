"""Drills: break an installation from outside and look whether it kept its promises.

Each is a command of its own (`python -m benchmarks.drills.kills`), starts `manage.py up` in a
temporary folder, speaks plain HTTP and WebSocket, prints a table and fails when a promise broke.
`python -m benchmarks.drills` runs them all.
"""
