"""What a process keeps of the memory that it has freed, and gives back when asked."""

import subprocess
import sys

PROGRAM = """
from pathlib import Path
import torch
from snac_common.devices import give_back_freed_memory, keep_freed_memory

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_freed_memory()
tensors = [torch.ones(2**18) for _ in range(200)]  # of 1 MiB
full = resident()
kept = tensors[::20]  # holes between them, as between what two epochs need
del tensors
holding = resident()
give_back_freed_memory()
print(full - holding, holding - resident())
"""


def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    at_once, when_asked = (int(number) / 2**20 for number in done.stdout.split())
    assert at_once < 20
    assert when_asked > 150
