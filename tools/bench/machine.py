"""Say what hardware and versions the figures below were measured with."""

import platform
from datetime import date
from pathlib import Path

import torch

from snac_common.devices import available_cores


def processor() -> str:
    """Return the processor's own name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    """Print one line of Markdown."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    capability = torch.backends.cpu.get_cpu_capability()
    print(
        f"## {date.today()}: {processor()}, {available_cores()} cores ({capability}), {gpu}; "
        f"Python {platform.python_version()}, torch {torch.__version__}\n"
    )


if __name__ == "__main__":
    main()
