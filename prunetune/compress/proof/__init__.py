"""Whether a cut is right: every group is tried on the network itself before anybody gets it."""
