"""How fast networks are: timed in fresh processes, interleaved so that drift hits all alike."""
