"""One variant in one trial: start the stack, send the load, break things on time, collect, stop everything."""

from lab.run.episode.capture import EpisodeCapture, episode_of, tables_of
from lab.run.episode.context import RunContext
from lab.run.episode.plan import EpisodePlan, plan_of
from lab.run.episode.play import play

__all__ = ["EpisodeCapture", "EpisodePlan", "RunContext", "episode_of", "plan_of", "play", "tables_of"]
