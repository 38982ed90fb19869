"""The small real services that experiments break: one aiohttp service a file, started as `python -m targets.<name>`."""
