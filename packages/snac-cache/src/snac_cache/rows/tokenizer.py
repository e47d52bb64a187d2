"""The tokenizer of a language model's text, from its ``tokenizer.json`` alone."""

from collections.abc import Sequence
from pathlib import Path

from snac_cache.rows.ragged import Ragged
from snac_common.errors import BadInput, Failure
from snac_model.tokens.layout import TEXT, TokenLayout

FILE = "tokenizer.json"
HOW_TO_INSTALL = "install it with: pip install 'tokenizers>=0.21'"


class TextTokenizer:
    """Text to ids, with what the tokenizer itself puts around them, such as a begin of text.

    Args:
        where: a folder with ``tokenizer.json``, such a file, or a Hub id.

    Raises:
        BadInput: if there is none, or the library that reads it is not installed.
        Failure: if it cannot be downloaded.
    """

    def __init__(self, where: str) -> None:
        path = _find(where)
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise BadInput(
                f"--tokenizer needs the package tokenizers, which is not there: {HOW_TO_INSTALL}"
            ) from error
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise BadInput(f"{path} is no tokenizer: {error}") from error
        self.name = where
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Return the ids of texts."""
        return Ragged.of(found.ids for found in self._tokenizer.encode_batch_fast(texts))

    def check(self, layout: TokenLayout) -> None:
        """Raise BadInput if ids of the layout mean something else to this tokenizer."""
        first = TEXT.format(0)
        known, size = self._tokenizer.token_to_id(first), self._tokenizer.get_vocab_size()
        stated = layout.id_offset
        if known is not None and known != stated:
            raise BadInput(
                f"in {self.name} {first} has the id {known}, and in the token layout {stated}: "
                f"write id_offset = {known} there, or give the tokenizer that belongs to it"
            )
        if known is None and stated is not None and size > stated:
            raise BadInput(
                f"{self.name} has {size} ids and no {first}: from {stated} on, where the token "
                "layout has the codes, they are words. Give the tokenizer that belongs to it."
            )


def _find(where: str) -> Path:
    path = Path(where)
    if path.is_dir():
        if not (path / FILE).is_file():
            raise BadInput(
                f"there is no {FILE} in the folder {where}: give one that has it, or a Hub id"
            )
        return path / FILE
    if path.is_file():
        return path
    if where.count("/") == 1 and not where.startswith((".", "/", "~")):
        return _download(where)
    raise BadInput(f"there is no tokenizer {where}: give a folder with {FILE}, or a Hub id")


def _download(name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    problem = f"there is no folder {name} here, and {FILE} cannot be downloaded from the Hub"
    advice = f"Give a folder with the {FILE} of your language model."
    try:
        return Path(hf_hub_download(name, FILE))
    except LocalEntryNotFoundError as error:
        raise Failure(f"{problem}: no network, and no copy in the Hub cache. {advice}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise Failure(f"{problem}: {error}. {advice}") from error
