"""A fabricated cache is one that the real checks and the real reader accept."""

import subprocess
import sys
from pathlib import Path

from workplace import succeed

from snac_cache import CodeStore

TOOL = Path(__file__).parents[2] / "tools" / "fabricate_cache.py"


def test_a_fabricated_cache_is_sound(tmp_path: Path) -> None:
    options = ["-o", str(tmp_path), "--train", "300", "--val", "20", "--part-rows", "128"]
    subprocess.run([sys.executable, str(TOOL), *options], check=True, capture_output=True)
    found = succeed("snac_cache.cli.check", "--artifacts", tmp_path)
    assert (found["fail"], found["warn"]) == (0, 0)
    store = CodeStore(tmp_path / "codes" / "train")
    assert len(store) == 300
    assert store.index_of(store[299].utterance_id) == 299
