"""A training step of phase 12 as snac-train takes it, fed by its data path; cost as JSON."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from step_cost import Asked, StepCost, measure

from snac_cache import CodeStore
from snac_model.codec import SNAC
from snac_model.config import SNAC_24KHZ
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.inputs import with_heads
from snac_train.data.loading import load_batches
from snac_train.data.references import Targets
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws
from snac_train.distributed.processes import Processes
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe
from snac_train.training.stage import Stage
from snac_train.training.validation import context_tokens

GPU_WORKERS = 8


def main(asked: Asked) -> StepCost:
    """Take steps on segments of the cache, drawn and read as in training."""
    torch.manual_seed(0)
    context = str(asked.context).lower()
    overrides = {"data.context": context, "optimizer.precision": asked.precision}
    recipe = load_recipe(12, overrides.items())
    processes = Processes(asked.device)
    model = with_heads(SNAC(**SNAC_24KHZ.to_dict()), recipe, "seeded").to(processes.device)
    stage = Stage(asked.stage, 1000, model, recipe, processes)
    batches = load_batches(*read_ahead(asked, recipe), pin=asked.device == "cuda")
    waits = []

    def step() -> None:
        started = time.perf_counter()
        batch = next(batches)
        waits.append(time.perf_counter() - started)
        assert isinstance(batch, Batch)
        stage.step([batch.to(processes.device)], True, asked.batch)

    started = time.perf_counter()
    cost = measure(step, asked)
    taken = time.perf_counter() - started
    return replace(cost, waiting=sum(waits[1:]) / (taken - waits[0]))


def read_ahead(asked: Asked, recipe: Recipe) -> tuple[SegmentDataset, list[list[int]], int]:
    """Return the dataset, the rows of each step's batch, and the number of reading processes."""
    store = CodeStore(Path(asked.codes), "train")
    dataset = SegmentDataset(
        Utterances(store, np.arange(len(store))),
        Targets(),
        store.geometry,
        segment_tokens=asked.tokens,
        context=context_tokens(store.geometry, recipe),
        draws=Draws.for_epoch(0, 1),
    )
    order = torch.randperm(len(store)).repeat(2).tolist()
    steps = range(asked.steps + 1)
    batches = [order[asked.batch * step : asked.batch * (step + 1)] for step in steps]
    return dataset, batches, GPU_WORKERS if asked.device == "cuda" else 0


if __name__ == "__main__":
    print(json.dumps(main(Asked.read(sys.argv[1])).__dict__))
