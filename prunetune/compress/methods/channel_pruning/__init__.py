"""Channel pruning: removes the least important coupled channels until the budget is met."""

from prunetune.compress.methods.channel_pruning.method import ChannelPruning

__all__ = ["ChannelPruning"]
