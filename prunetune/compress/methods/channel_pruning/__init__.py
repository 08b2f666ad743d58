"""Channel pruning: the least important coupled channels go until the budget holds."""

from prunetune.compress.methods.channel_pruning.method import ChannelPruning

__all__ = ["ChannelPruning"]
