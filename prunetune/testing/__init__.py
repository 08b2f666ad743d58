"""Conformance suites: one function per kind of part, which an author calls in a test.

    from prunetune.testing import check_criterion

    def test_my_criterion_keeps_its_contract() -> None:
        check_criterion("my_criterion", {"p": 2})

A suite raises AssertionError; the message says what is wrong and how to correct it.
"""

from prunetune.testing.criterion_laws import check_criterion, check_criterion_on
from prunetune.testing.dataset_laws import check_dataset
from prunetune.testing.method_laws import check_method
from prunetune.testing.model_laws import check_model
from prunetune.testing.networks import NETWORKS, Network
from prunetune.testing.regularizer_laws import check_regularizer
from prunetune.testing.schedule_laws import check_schedule

__all__ = [
    "NETWORKS", "Network", "check_criterion", "check_criterion_on", "check_dataset", "check_method",
    "check_model", "check_regularizer", "check_schedule",
]  # fmt: skip
