"""Whether W&B is used online is decided before anything waits for a key."""

from pathlib import Path

import pytest

from snac_common.wandb_key import choose_mode


def test_without_a_key_and_a_terminal_it_stays_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("sys.stdin", (tmp_path / "stdin").open("w+"))
    assert choose_mode("online") == "offline"
    assert "offline" in capsys.readouterr().err
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password key\n")
    assert choose_mode("online") == "online"
    monkeypatch.setenv("WANDB_API_KEY", "key")
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))
    assert choose_mode("online") == "online"
