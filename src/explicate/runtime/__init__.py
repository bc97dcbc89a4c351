"""What every floor above runs on: the runner, parallel maps, caches, logs, seeds, statistics, safe files."""
