"""The plan: an instance as it is simulated, and what numbers of watchers need by it."""

import msgspec
import pytest

from bench.plan.command import run_plan
from bench.plan.costs import Costs, Prediction, read_costs
from bench.plan.needs import SNAPSHOT_EVERY, limits, needs, sessions_a_core, trials_an_hour
from bench.plan.simulation import HEADROOM, LATE, capacity, predict, simulate


@pytest.fixture
def costs() -> Costs:
    """Round figures that can be checked by hand."""
    kept = read_costs()
    return msgspec.structs.replace(
        kept,
        fixed_share=0.02,
        session_frame=0.0005,
        most_sessions=10_000,
        session_bytes=250,
        viewer_frame=0.00004,
        snapshot=0.00001,
        trial=36.0,
        checks=[Prediction(instances=2, sessions=40, measured=0.5, predicted=0.55)],
    )


def test_an_instance_is_busy_as_long_as_its_frames_take() -> None:
    few, many = (simulate(count, frame=0.0005, fixed_share=0.1) for count in (20, 120))
    assert few.busy == pytest.approx(0.2)
    assert many.busy == pytest.approx(0.7)
    assert few.p99 < many.p99 < LATE
    assert simulate(0, frame=0.0005, fixed_share=0.1).busy == 0.1


def test_an_instance_that_gets_more_than_it_can_do_falls_ever_further_behind() -> None:
    assert simulate(240, frame=0.0005, fixed_share=0.0).p99 > 1


def test_frames_that_never_meet_wait_for_none() -> None:
    alone = simulate(1, frame=0.0005, fixed_share=0.0)
    assert alone.p99 == pytest.approx(0.0005)


def test_capacity_is_the_last_number_with_headroom_and_in_time() -> None:
    found = capacity(frame=0.0005, fixed_share=0.1)
    assert found in (119, 120)
    assert simulate(found, frame=0.0005, fixed_share=0.1).busy <= HEADROOM
    # With long frames it is lateness that ends it.
    slow = capacity(frame=0.012, fixed_share=0.0)
    assert simulate(slow, frame=0.012, fixed_share=0.0).p99 < LATE
    assert simulate(slow, frame=0.012, fixed_share=0.0).busy < 0.6


def test_two_instances_take_what_their_frames_take() -> None:
    assert predict([20, 20], 400, frame=0.0005, fixed_share=0.1) == pytest.approx(0.4)


def test_snapshots_are_as_frequent_as_they_are_written() -> None:
    shelf = pytest.importorskip("hamlet_trio.shared.redis_shelf")
    assert shelf.INTERVAL == SNAPSHOT_EVERY


def test_needs_grow_with_the_watchers_and_name_what_is_short_first(costs: Costs) -> None:
    per_core = sessions_a_core(costs)
    some = needs(costs, "sessions", 10 * per_core)
    assert some.instances == 11
    assert some.bandwidth == 10 * per_core * 10 * (250 + 66)
    assert some.redis_share == pytest.approx(10 * per_core * 0.00001 / SNAPSHOT_EVERY)
    lecture, country = needs(costs, "sessions", 100), needs(costs, "sessions", 1_000_000)
    assert lecture.machines == 1
    assert country.machines > 100 * lecture.machines
    assert (
        country.first
        == ("processor", 14 * per_core)
        == min(limits(costs, "sessions").items(), key=lambda limit: limit[1])
    )
    assert needs(costs, "viewers", 10_000).instances < needs(costs, "sessions", 10_000).instances
    assert trials_an_hour(costs, 2) == 200
    few = msgspec.structs.replace(costs, most_sessions=50)
    assert sessions_a_core(few) == 50, "nothing is planned beyond what was measured"


def test_what_was_measured_was_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    run_plan(["500"])
    printed = capsys.readouterr().out
    assert "500 sessions" in printed
    assert len(read_costs().checks) == 2
