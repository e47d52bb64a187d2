"""Make speech-like audio: something to run the pipeline on where there is no speech.

A small formant synthesizer (Klatt, "Software for a cascade/parallel formant synthesizer", 1980):
glottal pulses through a moving vocal tract for voiced sounds, shaped noise for fricatives and
bursts, both filtered frame by frame in the frequency domain.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile
from numpy.random import Generator

from snac_common.artifacts import SPLITS
from snac_common.console import print_summary
from snac_common.files import atomic_path
from snac_common.progress import track
from snac_common.tool import Tool

RATE = 48000
FRAME_RATE = 200
HOP = RATE // FRAME_RATE
WINDOW = 4 * HOP
FFT_SIZE = 2048  # leaves 23 ms for the tract to ring after the window
FREQUENCIES = np.fft.rfftfreq(FFT_SIZE, 1 / RATE)

SPEAKERS = 8
SHORTEST_S, LONGEST_S = 1.2, 6.0
EDGE_FRAMES = 16  # silence at both ends, 80 ms
BREATH = 0.02
ROOM_NOISE = 2e-4

SCHWA = (500.0, 1500.0, 2500.0)


@dataclass(frozen=True)
class Sound:
    """A target that the tracks move to: levels, formants in Hz, the noise's band in Hz."""

    voice: float = 0.0
    noise: float = 0.0
    formants: tuple[float, float, float] = SCHWA
    band: tuple[float, float] = (2000.0, 8000.0)


PAUSE = Sound()
VOWELS = [
    Sound(voice=1.0, formants=formants)
    for formants in (
        (730.0, 1090.0, 2440.0),  # father
        (270.0, 2290.0, 3010.0),  # see
        (300.0, 870.0, 2240.0),  # too
        (530.0, 1840.0, 2480.0),  # bed
        (570.0, 840.0, 2410.0),  # law
        (660.0, 1720.0, 2410.0),  # cat
        (490.0, 1350.0, 1690.0),  # bird
        SCHWA,
    )
]
SONORANTS = [
    Sound(voice=0.35, formants=(280.0, 1000.0, 2200.0)),  # m
    Sound(voice=0.35, formants=(280.0, 1700.0, 2600.0)),  # n
    Sound(voice=0.5, formants=(360.0, 1100.0, 2700.0)),  # l
    Sound(voice=0.5, formants=(310.0, 2000.0, 2800.0)),  # y
]
FRICATIVES = [
    Sound(noise=1.0, formants=(320.0, 1700.0, 2600.0), band=(4500.0, 24000.0)),  # s
    Sound(noise=1.0, formants=(320.0, 1900.0, 2500.0), band=(2000.0, 9000.0)),  # sh
    Sound(noise=0.35, formants=(320.0, 1100.0, 2300.0), band=(1000.0, 24000.0)),  # f
    Sound(noise=0.5, formants=(400.0, 1300.0, 2300.0), band=(1000.0, 4000.0)),  # loch
    Sound(voice=0.2, noise=0.5, formants=(320.0, 1700.0, 2600.0), band=(4500.0, 24000.0)),  # z
]
BURSTS = [
    Sound(noise=0.5, formants=(300.0, 900.0, 2200.0), band=(500.0, 4000.0)),  # p
    Sound(noise=0.9, formants=(300.0, 1700.0, 2600.0), band=(3000.0, 16000.0)),  # t
    Sound(noise=0.8, formants=(300.0, 2000.0, 2400.0), band=(1800.0, 5000.0)),  # k
]


@dataclass(frozen=True)
class Speaker:
    """A voice: its pitch in Hz, and how much its formants lie above a man's of medium height."""

    pitch: float
    scale: float

    @classmethod
    def draw(cls, seed: int, number: int) -> "Speaker":
        """Return speaker ``number`` of ``seed``; longer tracts have lower voices."""
        generator = np.random.default_rng([seed, number])
        height = generator.uniform()
        return cls(250 - 160 * height + generator.uniform(-10, 10), 1.22 - 0.27 * height)


def draw_syllable(generator: Generator) -> list[tuple[Sound, int]]:
    """Return sounds with their frames: an onset, a vowel, and often what closes it."""
    onset = generator.choice(["fricative", "stop", "sonorant", "none"], p=[0.35, 0.3, 0.25, 0.1])
    sounds: list[tuple[Sound, int]] = []

    def say(choices: list[Sound], shortest: float, longest: float) -> None:
        sound = choices[generator.integers(len(choices))]
        sounds.append((sound, round(FRAME_RATE * generator.uniform(shortest, longest))))

    if onset == "fricative":
        say(FRICATIVES, 0.07, 0.16)
    elif onset == "stop":
        say([PAUSE], 0.04, 0.09)
        say(BURSTS, 0.015, 0.03)
    elif onset == "sonorant":
        say(SONORANTS, 0.05, 0.1)
    say(VOWELS, 0.08, 0.22)
    if generator.uniform() < 0.3:
        say(SONORANTS + FRICATIVES, 0.06, 0.14)
    return sounds


def draw_sounds(generator: Generator, frames: int) -> list[tuple[Sound, int]]:
    """Return syllables and the pauses between words, for at least ``frames`` frames."""
    sounds = [(PAUSE, EDGE_FRAMES)]
    while sum(length for _, length in sounds) < frames:
        sounds += draw_syllable(generator)
        if generator.uniform() < 0.25:
            sounds.append((PAUSE, int(generator.integers(10, 60))))
    return sounds


def smooth(track_values: np.ndarray, frames: int) -> np.ndarray:
    """Smooth ``[N, C]`` along time with a Hann window, edges held."""
    kernel = np.hanning(frames + 2)[1:-1]
    padded = np.pad(track_values, ((frames // 2, frames // 2), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1)


def voice_source(generator: Generator, pitch: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return glottal pulses and breath ``[T]`` from the pitch and level of each frame."""
    times = np.arange(len(pitch) * HOP) / HOP
    frames = np.arange(len(pitch))
    phase = np.cumsum(np.interp(times, frames, pitch)) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    breath = BREATH * generator.standard_normal(len(pulses))
    return (pulses + breath) * np.interp(times, frames, level)


def resonators(formants: np.ndarray) -> np.ndarray:
    """Return the response ``[N, bins]`` of resonators at ``[N, F]`` Hz in cascade."""
    delay = np.exp(-2j * np.pi * FREQUENCIES / RATE)
    response = np.ones((len(formants), len(delay)), dtype=complex)
    for centre in formants.T:
        bandwidth = 50 + 0.05 * centre
        radius = np.exp(-np.pi * bandwidth / RATE)[:, None]
        first = 2 * radius * np.cos(2 * np.pi * centre / RATE)[:, None]
        response *= (1 - first + radius**2) / (1 - first * delay + radius**2 * delay**2)
    return response


def tract_response(formants: np.ndarray, scale: float) -> np.ndarray:
    """Return the response ``[N, bins]`` of a vocal tract whose first formants are ``[N, 3]``.

    Those above lie as in a uniform tube, every 1,000 Hz; glottis and lips take 6 dB an octave.
    """
    upper = np.arange(3500.0, 21000.0, 1000.0) * scale
    upper = upper[upper < RATE / 2]
    tilt = 1 / (1 + 1j * FREQUENCIES / 300)
    return resonators(formants * scale) * resonators(upper[None]) * tilt


def band_response(bands: np.ndarray) -> np.ndarray:
    """Return the response ``[N, bins]`` of noise bands ``[N, 2]`` Hz, 18 dB an octave outside."""
    low, high = 1j * FREQUENCIES / bands[:, :1], 1j * FREQUENCIES / bands[:, 1:]
    return (low / (1 + low) / (1 + high)) ** 3


def filtered(source: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Filter ``[T]`` with one response ``[N, bins]`` a frame, by overlap and add."""
    padded = np.pad(source, (WINDOW // 2, WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: len(response)]
    spectra = np.fft.rfft(windows * np.hanning(WINDOW), FFT_SIZE) * response
    audio = np.zeros(len(response) * HOP + FFT_SIZE)
    for start, frame in enumerate(np.fft.irfft(spectra, FFT_SIZE)):
        audio[start * HOP : start * HOP + FFT_SIZE] += frame
    return audio[WINDOW // 2 : WINDOW // 2 + len(source)]


def synthesize(speaker: Speaker, generator: Generator) -> np.ndarray:
    """Return one utterance ``[T]`` in -1..1."""
    frames = round(FRAME_RATE * generator.uniform(SHORTEST_S, LONGEST_S))
    sounds = draw_sounds(generator, frames)
    lengths = [length for _, length in sounds]
    rows = [(sound.voice, sound.noise, *sound.formants, *sound.band) for sound, _ in sounds]
    tracks = np.repeat(np.array(rows), lengths, axis=0)[:frames]
    tracks[-EDGE_FRAMES:, :2] = 0.0
    levels, shapes = smooth(tracks[:, :2], 5), smooth(tracks[:, 2:], 13)
    accents = np.repeat(generator.normal(0.0, 0.2, len(sounds)), lengths)[:frames, None]
    melody = np.exp(smooth(accents, 31)[:, 0]) * np.linspace(1.12, 0.85, frames)
    voice = voice_source(generator, speaker.pitch * melody, levels[:, 0])
    hiss = generator.standard_normal(len(voice)) * np.repeat(levels[:, 1], HOP)
    audio = 6.0 * filtered(voice, tract_response(shapes[:, :3], speaker.scale))
    audio += 0.2 * filtered(hiss, band_response(shapes[:, 3:]))
    audio *= generator.uniform(0.3, 0.8) / np.abs(audio).max()
    return audio + ROOM_NOISE * generator.standard_normal(len(audio))


def write_utterance(folder: Path, seed: int, split: int, index: int) -> float:
    """Write utterance ``index`` of a split, the same bytes each time; return its seconds."""
    number = index % SPEAKERS
    audio = synthesize(Speaker.draw(seed, number), np.random.default_rng([seed, split, index]))
    with atomic_path(folder / f"speaker{number}-{index:04d}.flac") as temporary:
        soundfile.write(temporary, audio, RATE, format="FLAC", subtype="PCM_16")
    return len(audio) / RATE


@click.command(
    cls=Tool, example="uv run tools/make_speech.py --train 48 --val 8 -o artifacts/speech"
)
@click.option("--train", default=48, type=click.IntRange(0), help="Utterances in train/.")
@click.option("--val", default=8, type=click.IntRange(0), help="Utterances in val/.")
@click.option("--seed", default=0, type=click.IntRange(0), help="The same seed, the same files.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder that gets train/ and val/.",
)
def main(train: int, val: int, seed: int, output: Path) -> None:
    """Make speech-like audio, 48 kHz mono flac of 1.2 to 6 s, from several invented speakers."""
    jobs = [
        (output / SPLITS[split], seed, split, index)
        for split, count in enumerate((train, val))
        for index in range(count)
    ]
    seconds = sum(write_utterance(*job) for job in track(jobs, len(jobs), "make", "files"))
    print_summary(output=str(output), files=len(jobs), seconds=round(seconds, 1))


if __name__ == "__main__":
    main()
