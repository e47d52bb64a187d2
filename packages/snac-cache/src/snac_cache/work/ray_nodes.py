"""Whether a machine of a Ray cluster can do the work: asked of each before any is done."""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from snac_common.addresses import ENVIRONMENT as MIRROR
from snac_common.addresses import address, mirror
from snac_common.artifacts import GIVEN, NAMED
from snac_common.errors import Failure

OURS = ("snac_common", "snac_model", "snac_cache", "snac_eval")
ENVIRONMENT = (
    GIVEN,
    NAMED,
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "HF_HUB_CACHE",
)
THEIRS = ("torch", "pyarrow", "numpy", "soundfile")  # they decide codes and files


@cache
def versions() -> dict[str, str]:
    """Return what this machine works with: a hash of each of our packages, others' versions."""
    found = {package: _hash(package) for package in OURS}
    for package in THEIRS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


@dataclass(frozen=True)
class Driver:
    """What a worker must have in common with the process that started the command.

    Attributes:
        directory: in which it was started; what options name is relative to it.
        folder: of the work.
        environment: what decides where models are found, and object stores; each machine has
            its own credentials.
    """

    directory: Path
    folder: Path
    environment: dict[str, str]
    versions: dict[str, str]

    @classmethod
    def this(cls, folder: Path) -> Self:
        """Describe this process."""
        settings = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        return cls(Path.cwd(), folder, settings | {MIRROR: str(mirror())}, versions())


def follow(driver: Driver) -> str:
    """Go where the driver is, or say why this machine cannot work for it.

    Returns:
        The reason, which follows the name of the machine in a sentence; empty if it can.
    """
    here = versions()
    if others := [name for name in driver.versions if here.get(name) != driver.versions[name]]:
        return (
            f"has another {', '.join(others)} than the one that started the command. Install the "
            "same packages on all of them, and start Ray anew there."
        )
    os.environ.update(driver.environment)
    for place in (driver.directory, driver.directory / driver.folder):
        if not (place.is_dir() or address(place)):
            return f"does not see {place}. All must see it under the same path, such as on NFS."
    os.chdir(driver.directory)
    return ""


def check_nodes(ray: Any, driver: Driver) -> None:
    """Ask every machine that would work.

    Raises:
        Failure: naming the machine, if it lacks our packages, has others than this one, or does
            not see the driver's folders.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0)(follow)
    asked = {}
    for node in ray.nodes():
        if node["Alive"] and (node["Resources"].get("CPU") or node["Resources"].get("GPU")):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answer = ask.options(scheduling_strategy=there, max_retries=0)
            asked[answer.remote(driver)] = node["NodeManagerAddress"]
    for answer, name in asked.items():
        if reason := _answered(ray, answer):
            raise Failure(f"the machine {name} of the Ray cluster {reason}")


def _answered(ray: Any, answer: Any) -> str:
    try:
        return str(ray.get(answer))
    except (ray.exceptions.RayError, ImportError) as error:
        last = str(error).strip().splitlines()[-1]
        return f"cannot work: {last}. Install the same packages there as here."


def _hash(package: str) -> str:
    """Return a hash of a package's code, for its version may stay as the code changes."""
    digest = hashlib.sha256()
    spec = find_spec(package)
    for place in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(place).rglob("*.py")):
            digest.update(str(path.relative_to(place)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
