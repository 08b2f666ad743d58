"""Runs a whole sweep as one Ray Tune run, and decides what each trial does in it.

Nothing is imported here: workers and verbs that look at one trial need a small part of this room.
"""
