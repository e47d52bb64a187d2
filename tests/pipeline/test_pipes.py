"""Pipes that a user would build, as real processes."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import numpy as np
import pytest
import soundfile
from workplace import command, succeed, write_tone

from snac_model import ORPHEUS, Geometry, load

ENCODE, DECODE = "snac_cache.cli.encode", "snac_cache.cli.decode"
MODEL = ["--model", "builtin:speech-small", "--device", "cpu"]
SEED = ["--noise", "seed=1"]


@pytest.fixture
def geometry() -> Geometry:
    return load("builtin:speech-small").geometry


@pytest.fixture
def live() -> Iterator[Popen[bytes]]:
    """A decoder of tokens that are still being written."""
    options = ["--tokens", "orpheus", "--stream", *MODEL, *SEED]
    call = command(DECODE, "-", "-o", "-", *options)
    with Popen(call, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        yield process
        process.kill()


def text(frames: int) -> bytes:
    random = np.random.default_rng(0)
    return ORPHEUS.text([random.integers(0, 4096, frames * n) for n in (1, 2, 4)]).encode()


def test_audio_to_codes_to_a_player(tmp_path: Path) -> None:
    audio = tmp_path / "in.wav"
    write_tone(audio, 1.2345)
    encoder = Popen(command(ENCODE, "-", "-o", "-", *MODEL), stdin=audio.open("rb"), stdout=PIPE)
    stream = command(DECODE, "-", "--stream", "-o", "-", *MODEL, *SEED)
    player = subprocess.run(stream, stdin=encoder.stdout, capture_output=True, check=True)
    assert encoder.wait() == 0
    played = np.frombuffer(player.stdout, "<i2")
    assert len(played) == -(-round(1.2345 * 48000) // 2)
    succeed(ENCODE, audio, "-o", tmp_path / "codes.parquet", *MODEL)
    succeed(DECODE, tmp_path / "codes.parquet", "-o", tmp_path / "out.wav", *MODEL, *SEED)
    written, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert np.abs(played.astype(int) - written).max() <= 1


def test_audio_comes_while_tokens_are_still_written(live: Popen[bytes], geometry: Geometry) -> None:
    assert live.stdin
    assert live.stdout
    tokens = geometry.context_tokens + 3
    live.stdin.write(text(tokens))
    live.stdin.flush()
    bytes_due = 2 * geometry.sample_span(24000, 0, 3).stop
    early = live.stdout.read(bytes_due)  # would wait for ever if all awaited the end of the tokens
    assert len(early) == bytes_due
    live.stdin.close()
    rest = live.stdout.read()
    assert live.wait() == 0
    assert len(early) + len(rest) == 2 * geometry.sample_span(24000, 0, tokens).stop


def test_a_player_that_goes_away_ends_it_quietly(live: Popen[bytes]) -> None:
    assert live.stdin
    assert live.stdout
    assert live.stderr
    live.stdin.write(text(5))
    live.stdin.flush()
    live.stdout.read(100)
    live.stdout.close()
    live.stdin.write(text(30))
    live.stdin.close()
    messages = live.stderr.read().decode()
    assert live.wait() == 0
    assert "Traceback" not in messages
    assert "rror" not in messages


@pytest.mark.campaign
def test_an_encoder_whose_reader_goes_away_ends_quietly(tmp_path: Path) -> None:
    for number in range(20):
        write_tone(tmp_path / f"{number}.wav", 0.5)
    options = ["-o", "-", "--workers", 2, *MODEL]
    with Popen(command(ENCODE, tmp_path, *options), stdout=PIPE, stderr=PIPE) as encoder:
        assert encoder.stdout
        assert encoder.stderr
        encoder.stdout.read(10)
        encoder.stdout.close()
        messages = encoder.stderr.read().decode()
        assert encoder.wait() == 0
    assert "Traceback" not in messages
    assert "rror" not in messages


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_reader_that_takes_its_time_holds_all_back(tmp_path: Path) -> None:
    """Neither audio nor tokens pile up in the decoder, however many lines there are to come."""
    one, forty = (peak_behind_a_slow_reader(tmp_path / f"{n}.txt", n) for n in (1, 40))
    assert forty < one + 6_000  # their audio is 19,000 KiB


def peak_behind_a_slow_reader(tokens: Path, lines: int) -> int:
    """Return the decoder's peak memory in KiB when the reader has stopped, and it has too."""
    tokens.write_bytes(lines * (text(117) + b"\n"))
    decode = command(DECODE, tokens, "-o", "-", "--tokens", "orpheus", "--stream", *MODEL)
    with Popen(decode, stdout=PIPE) as decoder:
        assert decoder.stdout
        decoder.stdout.read(48_000)
        wait_for_standstill(decoder)
        assert decoder.poll() is None
        status = Path(f"/proc/{decoder.pid}/status").read_text()
        decoder.kill()
    [peak] = re.findall(r"VmHWM:\s*(\d+) kB", status)
    return int(peak)


def wait_for_standstill(*processes: Popen[bytes]) -> None:
    """Wait until no process has used its processor for a while."""
    before, now = [0], [-1]
    while now != before:
        time.sleep(1)
        before, now = now, [cpu_ticks(process) for process in processes]


def cpu_ticks(process: Popen[bytes]) -> int:
    """Return the processor time of all threads, in the kernel's ticks."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
