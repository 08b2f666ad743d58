"""Loads logged models where prunetune cannot be imported, and measures them on test images.

Arguments: a file with `pixels` (uint8, N, C, H, W) and `labels`, then folders of models. Prints for
each model its trial, its accuracy, and the accuracy that it states, as a line of JSON.
"""

import json
import sys

sys.modules.update(dict.fromkeys(("prunetune", "torch_pruning"), None))

import mlflow.pyfunc  # noqa: E402
import mlflow.pytorch  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

data = np.load(sys.argv[1])
for folder in sys.argv[2:]:
    model = mlflow.pyfunc.load_model(folder)
    facts = model.metadata.metadata
    mean, std = (np.float32(facts[name])[:, None, None] for name in ("mean", "std"))
    images = ((data["pixels"] / np.float32(255) - mean) / std).astype(np.float32)
    scores = model.predict(images)
    with torch.no_grad():
        assert (mlflow.pytorch.load_model(folder)(torch.tensor(images)).numpy() == scores).all()
    right = float((scores.argmax(1) == data["labels"]).mean())
    print(json.dumps([facts["trial"], right, facts["test_acc1"]]))
