"""Tools for any room, which know nothing of experiments: folders, files, limits, streams, tasks, a screen."""
