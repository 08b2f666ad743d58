"""What a finished network is used for: loaded, exported, timed, and its trial run once more."""
