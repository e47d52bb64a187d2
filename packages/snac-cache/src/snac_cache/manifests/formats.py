"""Which files are audio by their endings, and which of those can be read."""

from pathlib import PurePath

COMMON = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
OTHERS = (".aif", ".aifc", ".aiff", ".au", ".caf", ".rf64", ".snd", ".sph", ".w64")
READABLE = (*COMMON, *OTHERS)  # what libsndfile reads and people have
PHONES = (".3ga", ".aac", ".amr", ".m4a", ".m4b", ".m4r", ".weba", ".wma")
RARE = (".ac3", ".ape", ".mka", ".mpc", ".ra", ".tta", ".wv")
VIDEO = (".mov", ".mp4", ".webm")  # which recordings of calls and lectures come in
UNREADABLE = (*PHONES, *RARE, *VIDEO)
UNSUPPORTED = "unsupported_format"
TARS = (".tar", ".tar.gz", ".tgz")


def ending(name: str) -> str:
    """Return the ending of a file's name, in small letters, with its dot."""
    return PurePath(name).suffix.lower()


def is_readable(name: str) -> bool:
    """Say whether a file is audio that can be read, by its name."""
    return ending(name) in READABLE and not name.startswith("._")


def unsupported(names: list[str]) -> list[str]:
    """Return those of the names in a folder that are audio which nothing here can read.

    Left out are those beside a readable file of the same name: it was made of them.
    """
    converted = {PurePath(name).stem for name in names if is_readable(name)}
    return [
        name
        for name in names
        if ending(name) in UNREADABLE
        and not name.startswith("._")
        and PurePath(name).stem not in converted
    ]


def how_to_convert(name: str) -> str:
    """Say that a file cannot be read, and with which command it can be converted."""
    converted = PurePath(name).with_suffix(".flac").name
    return (
        f"audio in the format {ending(name)} cannot be read. Convert it: "
        f"ffmpeg -i {name} {converted}"
    )
