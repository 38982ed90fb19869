"""What is watched while a run goes: Prometheus, snapshots, profiles, logs, traces and the canary."""
