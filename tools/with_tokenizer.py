"""Put one model's encoder and quantizer before another's decoder, as a model to train from.

    uv run python tools/with_tokenizer.py artifacts/runs/joint/best builtin:speech-small -o start

Where tokens have changed, the decoder that knew the earlier ones learns the new ones sooner than
one from nothing.
"""

from pathlib import Path

import click

from snac_common.console import print_summary
from snac_common.errors import Failure
from snac_common.tool import Tool
from snac_model import load, save


@click.command(cls=Tool, example="with_tokenizer.py TOKENIZER DECODER -o DIR")
@click.argument("tokenizer")
@click.argument("decoder")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR")
def main(tokenizer: str, decoder: str, output: Path) -> None:
    """Write DECODER's model to DIR with the encoder and the quantizer of TOKENIZER."""
    model = load(decoder)
    try:
        model.take_tokenizer(load(tokenizer))
    except RuntimeError as error:
        raise Failure(f"{tokenizer} and {decoder} differ in shape: {error}") from None
    save(model, output)
    print_summary(model=str(output))


if __name__ == "__main__":
    main()
