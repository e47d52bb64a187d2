"""A tokenizer of letters, which begins each text as those of language models do."""

from pathlib import Path
from string import ascii_letters, digits, punctuation

BEGIN = 1  # begin of text
KNOWN = [" ", *ascii_letters, *digits, *punctuation]


def write_tokenizer(folder: Path, **added: int) -> Path:
    """Write ``tokenizer.json`` into a folder; ``added`` are tokens of their own with their ids."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from tokenizers.processors import TemplateProcessing

    vocabulary = {"<unknown>": 0, "<begin>": BEGIN}
    vocabulary |= {letter: number for number, letter in enumerate(KNOWN, start=2)} | added
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    begin = [("<begin>", BEGIN)]
    tokenizer.post_processor = TemplateProcessing(single="<begin> $A", special_tokens=begin)
    tokenizer.enable_truncation(5)  # as the file of a model may have it
    tokenizer.enable_padding(length=200)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def text_ids(text: str) -> list[int]:
    """Return what the tokenizer makes of a text."""
    known = {letter: number for number, letter in enumerate(KNOWN, start=2)}
    return [BEGIN, *(known.get(letter, 0) for letter in text)]
