"""What `hamlet train` tells people of a run."""

import pytest

from hamlet_trio.cli.train_report import ProgressReport
from hamlet_trio.protocol.episode import EvaluationSummary
from tests.history.support import episode_complete


def test_an_evaluation_is_told_from_both_kinds_of_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    report = ProgressReport()
    report.on_episode(episode_complete(9))
    assert capsys.readouterr().out == ""
    report.on_episode(
        episode_complete(
            10,
            evaluation=EvaluationSummary(500.0, 921.5, 1),
            evaluation_random=EvaluationSummary(467.6, 829.96, 30),
        )
    )
    assert capsys.readouterr().out == (
        "episode 10: the greedy policy survives 500 steps, return 921.5; "
        "from random starts 468 steps, return 830.0\n"
    )
