"""Values that an option may have; any other is answered with what was probably meant."""

import math
import re
from difflib import get_close_matches
from typing import Any

import click


class NearestChoice(click.Choice[Any]):
    """A choice that names the nearest value where there is none of that name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or say which ones there are."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            near = get_close_matches(str(value), map(str, self.choices), n=1)
            if not near:
                raise
            self.fail(f"{error.message.rstrip('.')}. Did you mean {near[0]!r}?", param, ctx)


class DeviceChoice(NearestChoice):
    """``auto``, ``cpu`` or ``cuda``; numbers of GPUs are answered with the option for them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or say which ones there are."""
        numbers = re.fullmatch(r"(?:cuda:)?(\d+(?:,\d+)*)", str(value))
        if numbers and ctx:
            takes_gpus = any("--gpus" in option.opts for option in ctx.command.params)
            ours = f"--gpus {numbers[1]}"
            if not takes_gpus:
                ours = f"--device cuda, and CUDA_VISIBLE_DEVICES={numbers[1]} before the command"
            self.fail(f"{value!r} is a number of a GPU: write {ours}", param, ctx)
        return super().convert(value, param, ctx)


class FiniteRange(click.FloatRange):
    """A number within limits: no infinity, and not NaN, which no comparison would refuse."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number
