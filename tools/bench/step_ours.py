"""A training step of phase 12 as snac-train takes it, fed by its data path; cost as JSON."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from step_cost import Asked, StepCost, measure

from snac_cache import CodeStore
from snac_common.errors import Failure
from snac_model.codec.snac import SNAC
from snac_model.shapes.config import SNAC_24KHZ
from snac_train.data.dataset import Utterances
from snac_train.data.inputs import with_heads
from snac_train.data.loading import Readers
from snac_train.data.reading import Segments, SegmentSource
from snac_train.data.references import Targets
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws, in_order
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe
from snac_train.training.discriminators import make_discriminators
from snac_train.training.stage import Stage

GPU_WORKERS = 8


def main(asked: Asked) -> StepCost:
    """Take steps on segments of the cache, drawn and read as in training."""
    torch.manual_seed(0)
    context = str(asked.context).lower()
    overrides = {"data.context": context, "optimizer.precision": asked.precision}
    refine = asked.stage == "refine"
    if refine:
        overrides |= {"model.heads": "24k,48k", "adversarial.head_start": "0"}
    recipe = load_recipe("refine" if refine else 12, overrides.items())
    processes = Processes(asked.device)
    model = with_heads(SNAC(**SNAC_24KHZ.to_dict()), recipe, "seeded").to(processes.device)
    discriminators = make_discriminators(recipe)
    if discriminators is not None:
        discriminators.to(processes.device)
    name: StageName = "warmup" if asked.stage == "warmup" else "main"
    stage = Stage(name, 1000, model, recipe, processes, discriminators=discriminators)
    batches = read_ahead(asked, recipe)
    waits = []

    def step() -> None:
        started = time.perf_counter()
        batch = next(batches)
        waits.append(time.perf_counter() - started)
        assert isinstance(batch, Batch)
        stage.step([batch.to(processes.device)], True, asked.batch).read()

    started = time.perf_counter()
    cost = measure(step, asked)
    taken = time.perf_counter() - started
    return replace(cost, waiting=sum(waits[1:]) / (taken - waits[0]))


def read_ahead(asked: Asked, recipe: Recipe) -> Iterator[Batch | Failure]:
    """Yield the batch of each step, read by processes of their own where there is a GPU."""
    store = CodeStore(Path(asked.codes), "train")
    geometry, on_gpu = store.geometry, asked.device == "cuda"
    utterances = {"train": Utterances(store, np.arange(len(store)))}
    context = geometry.context_tokens if asked.context else 0
    source = SegmentSource(utterances, Targets(), recipe.augmentation, geometry, context)
    order = np.tile(torch.randperm(len(store)).numpy(), 2)
    segments = Segments("train", asked.tokens, Draws.for_epoch(0, 1))
    batches = in_order(order, asked.batch)[: asked.steps + 1]
    return Readers(source, GPU_WORKERS if on_gpu else 0, pin=on_gpu).read(segments, batches)


if __name__ == "__main__":
    print(json.dumps(main(Asked.read(sys.argv[1])).__dict__))
