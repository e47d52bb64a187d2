"""Measures of the whole set in an evaluation: values of its utterances, whose mean is the set's."""

from pathlib import Path

import pytest
from evaluation import Workplace, read_differences, read_means, read_rows
from workplace import last_line, snapshot

from snac_eval.measuring.measure import PENDING
from snac_eval.measuring.parts import Parts
from snac_eval.metrics.frechet import SetMoments


@pytest.fixture(scope="module")
def model(workplace: Workplace) -> Path:
    def duller(model: object) -> None:
        model.head_48k.final[1].bias.fill_(0.01)  # type: ignore[attr-defined]

    return workplace.save_model("set", duller)


def values_of(folder: Path, metric: str) -> dict[tuple[str, int], list[float]]:
    found: dict[tuple[str, int], list[float]] = {}
    for row in read_rows(folder):
        if row["metric"] == metric:
            found.setdefault((row["model"], row["rate"]), []).append(row["value"])
    return found


def test_the_mean_is_the_distance_of_the_set(
    workplace: Workplace, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    read = Parts.read_frames

    def keeping(parts: Parts, number: int) -> object:
        frames = read(parts, number)
        kept.extend(frames)
        return frames

    monkeypatch.setattr(Parts, "read_frames", keeping)
    folder = workplace.evaluate(model, "--name", "set-mean", "--ceiling")
    means = read_means(folder)
    own = {one.utterance_id: one for one in kept if one.output == ("set", 48000)}
    assert len(own) == 4
    moments = SetMoments()
    for frames in own.values():
        moments.add(frames)
    jackknife = 4 * moments.distance() - 3 * sum(map(moments.distance, own.values())) / 4
    assert means["set", 48000, "frechet_mel"]["mean"] == pytest.approx(jackknife, rel=1e-6)
    assert means["reference", 48000, "frechet_mel"]["mean"] == pytest.approx(0, abs=1e-6)
    difference = read_differences(folder)["set", 48000, "frechet_mel"]
    assert (difference["base"], difference["n"]) == ("base resampled", 4)
    assert not any(row["reason"] == PENDING for row in read_rows(folder))


def test_two_sample_is_there_when_asked_for(
    workplace: Workplace, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snac_eval.measuring.two_sample.STEPS", 5)
    plain = workplace.evaluate(model, "--name", "set-plain")
    asked = workplace.evaluate(model, "--name", "set-asked", "--two-sample")
    rows = [row for row in read_rows(asked) if row["metric"] != "two_sample"]
    assert rows == read_rows(plain), "it changes nothing else"
    found = values_of(asked, "two_sample")
    assert set(found) == {
        ("base", 24000),
        ("base resampled", 48000),
        ("set", 24000),
        ("set", 48000),
    }
    short = [value for values in found.values() for value in values if value is None]
    assert not short
    assert all(0 <= value <= 1 for values in found.values() for value in values)
    assert found["base", 24000] == found["set", 24000], "the same audio, the same network"
    before = snapshot(asked)
    refused = workplace.run("--report-only", "--name", "set-asked", "--two-sample")
    assert (refused.exit_code, "--two-sample decides" in refused.stderr) == (2, True)
    workplace.evaluate("--report-only", "--name", "set-asked")
    assert snapshot(asked) == before


def test_an_utterance_that_is_too_short_is_in_no_set(workplace: Workplace, model: Path) -> None:
    folder = workplace.evaluate(model, "--name", "set-short", "--segment", 0.1, "--two-sample")
    rows = [row for row in read_rows(folder) if row["metric"] in ("frechet_mel", "two_sample")]
    assert {row["reason"] for row in rows} == {"fewer than 32 frames"}
    assert all(row["value"] is None for row in rows)


@pytest.mark.campaign
def test_frames_of_other_settings_or_damaged_ones_are_measured_again(
    workplace: Workplace, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = snapshot(workplace.evaluate(model, "--name", "set-whole"))
    for damage in ("torn", "of another seed"):
        name = f"set-{damage.split()[0]}"
        with monkeypatch.context() as patch:
            patch.setattr("snac_eval.evaluation.evaluate.join_parts", stop)
            assert workplace.run(model, "--name", name).exit_code == 130
            unfinished = workplace.root / "eval" / f".{name}.unfinished"
            frames = sorted(unfinished.glob("frames-*.parquet"))
            assert len(frames) == len(list(unfinished.glob("part-*.parquet"))) == 2
            if damage == "torn":
                frames[0].write_bytes(frames[0].read_bytes()[:-20])
            else:
                parts = {path: path.read_bytes() for path in unfinished.glob("part-*")}
                assert workplace.run(model, "--name", name, "--seed", 9).exit_code == 130
                for path, content in parts.items():
                    path.write_bytes(content)
        assert snapshot(workplace.evaluate(model, "--name", name)) == whole


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_default_report_holds_realism(workplace: Workplace, model: Path) -> None:
    result = workplace.run(model, "--name", "set-report")
    verdict = last_line(result)["verdict"]
    assert any(line.startswith("realism at 48 kHz") for line in verdict)
    assert "REALISM" in result.stderr
    assert "Fréchet mel distance" in result.stderr
    page = (workplace.root / "eval" / "set-report" / "report.html").read_text(encoding="utf-8")
    for said in ('id="def-frechet_mel"', 'id="def-sharpness"', 'id="def-sharpness_error"'):
        assert said in page
    assert 'href="#def-sharpness">sharpness 4 to 8 kHz' in page
