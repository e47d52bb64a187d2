"""What a header can promise and be true: sample rates, and frames that so many bytes can hold.

The bounds are those of the formats themselves, so that whatever a format can say is believed,
hours of digital silence included, and a damaged length mostly is not.
"""

from functools import lru_cache

from snac_model.audio.sinc_kernel import kernel_bytes

LOWEST_RATE, HIGHEST_RATE = 2_000, 768_000  # Hz
RESAMPLED_TO = (16_000, 24_000, 48_000)  # Hz; what audio is resampled to in this project
LARGEST_KERNEL = 64 * 2**20  # bytes

SAMPLE_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "ULAW": 8,
    "ALAW": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
}
LEAST_SAMPLE_BITS = 1  # of what has fewer bits than PCM: ADPCM, GSM, DWVW and others

# A block holds at most 65,535 samples. Its header is 8 bytes then, a silent channel at least 2, and
# the closing CRC 2. Shorter blocks save at most 2 bytes. ALAC's packets hold less in no less.
FLAC_FRAMES_PER_BYTE = -(-65_535 // 12)
# A frame holds at most 1,152 samples. 12 bytes are less than its header with the least side
# information or bit allocation, even at free bit rates; ordinary ones give 24 samples a byte.
MPEG_FRAMES_PER_BYTE = 1_152 // 12
# An Opus packet holds at most 120 ms, 5,760 samples, in 1 byte beside its length in the page, 1
# byte more. A Vorbis packet holds at most 4,096 samples in as much.
OGG_FRAMES_PER_BYTE = 5_760 // 2


def most_frames(form: str, subtype: str, channels: int, file_bytes: int) -> int:
    """Return how many frames a file of ``file_bytes`` can hold at the very most.

    Args:
        form: libsndfile's name of the format: ``WAV``, ``FLAC``, ``OGG``, ``MP3``, ...
        subtype: libsndfile's name of the encoding: ``PCM_16``, ``VORBIS``, ...
    """
    if form == "FLAC" or subtype.startswith("ALAC"):
        return file_bytes * FLAC_FRAMES_PER_BYTE
    if subtype.startswith("MPEG_LAYER"):
        return file_bytes * MPEG_FRAMES_PER_BYTE
    if subtype in ("VORBIS", "OPUS"):
        return file_bytes * OGG_FRAMES_PER_BYTE
    return file_bytes * 8 // (SAMPLE_BITS.get(subtype, LEAST_SAMPLE_BITS) * channels)


@lru_cache(maxsize=256)
def is_odd_rate(sample_rate: int) -> bool:
    """Say whether a sample rate, in Hz, is none of speech, or asks too much of the resampler."""
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        return True
    return any(kernel_bytes(sample_rate, rate) > LARGEST_KERNEL for rate in RESAMPLED_TO)
