"""A plot of your own from records: how far validation overstates what the test set gives.

    python experiments/examples/own_plot.py [SWEEP [STORAGE [FILE]]]

A winner is the best of a search by validation accuracy, so that accuracy is too high; its confirm
trials, on fresh seeds, say what the recipe is worth. Without arguments the plot is drawn from the
committed records of the quick start. matplotlib comes with mlflow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from prunetune import load_records

EXPERIMENTS = Path(__file__).parents[1]


def main(
    sweep: str = "2026-11-20-quickstart",
    storage: str = str(EXPERIMENTS),
    file: str = "own_plot.svg",
) -> None:
    records = load_records(sweep, storage)
    point = ["arm", "budget"]
    searched = records.query("phase == 'search'").groupby(point)["val_acc1"].max()
    confirmed = records.query("phase == 'confirm'").groupby(point)["test_acc1"].mean()
    overstated = (searched - confirmed).unstack("arm") * 100

    axes = overstated.plot(marker="o", xlabel="share of the dense MACs")
    axes.set_ylabel("best validation minus confirmed test (points)")
    axes.axhline(0, color="grey", linewidth=0.5)
    plt.savefig(file)
    print(overstated.round(2).to_string(), file, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
