"""The command line as a person and as a script use it: real processes, real runs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hamlet_trio.protocol.parameters import TrainingParameters
from tests.cli.conftest import Hamlet


def test_train_evaluate_and_models(hamlet: Hamlet, hamlet_here: Hamlet, tmp_path: Path) -> None:
    short = ["--network-type", "qnetwork", "--max-steps", "20"]
    trained = hamlet("train", "--episodes", "3", "--seed", "5", "--json", *short)
    assert trained.returncode == 0, trained.stderr
    lines = [json.loads(line) for line in trained.stdout.splitlines()]
    kinds = [line["type"] for line in lines]
    assert kinds == ["training_started", *["episode_complete"] * 3, "training_complete"]
    assert lines[0]["parameters"]["seed"] == 5
    model = Path(lines[-1]["model_saved"])
    assert model == tmp_path / "data" / "models" / f"run-{lines[-1]['run_id']}-ep3.pt"
    assert model.is_file()

    evaluated = hamlet("evaluate", str(model), "--episodes", "2", "--json")
    result = json.loads(evaluated.stdout)
    assert result["network_type"] == "qnetwork"
    assert len(result["episodes"]) == 2
    assert result["mean_length"] == sum(row["length"] for row in result["episodes"]) / 2
    pair = hamlet("evaluate", str(model), "--episodes", "2", "--num-agents", "2", "--contention").stdout
    assert [line.split()[1:4:2] for line in pair.splitlines() if "agent_" in line] == [
        [str(episode), f"agent_{agent}"] for episode in (1, 2) for agent in (0, 1)
    ]
    by_name = hamlet_here("evaluate", "trained_agent.pt", "--episodes", "2", "--json")
    assert json.loads(by_name.stdout)["episodes"] == result["episodes"]

    listed = json.loads(hamlet_here("models", "--json").stdout)["models"]
    assert [(row["name"], row["network_type"], row["episode"]) for row in listed] == [
        ("trained_agent.pt", "qnetwork", 3),
        (model.name, "qnetwork", 3),
    ]
    assert {(row["source"], row["is_default"]) for row in listed} == {("run", False)}
    assert listed[0]["same_as"] == model.name
    assert "trained_agent.pt" in hamlet_here("models").stdout


@pytest.mark.long
def test_the_same_seed_gives_the_same_file(hamlet: Hamlet, tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        options = ["--episodes", "2", "--seed", "1", "--max-steps", "20", "--out", str(tmp_path / name)]
        run = hamlet("train", "--json", *options)
        assert run.returncode == 0, run.stderr
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_an_interrupt_saves_and_a_resume_goes_on(
    hamlet: Hamlet, hamlet_here: Hamlet, environment: dict[str, str], tmp_path: Path
) -> None:
    short = ["--seed", "2", "--network-type", "qnetwork", "--max-steps", "2"]
    arguments = ["train", "--episodes", "60", "--json", *short]
    process = subprocess.Popen(
        [sys.executable, "-m", "hamlet_trio.cli", *arguments],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        pipesize=4096,  # as long as nobody reads, the run cannot come to its end
    )
    assert process.stdout is not None
    with process:
        while json.loads(process.stdout.readline())["type"] != "episode_complete":
            pass
        process.send_signal(signal.SIGINT)
        last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.returncode == 0
    assert last["type"] == "training_stopped"
    assert Path(last["model_saved"]).is_file()

    resumed = hamlet("train", "--resume", last["run_id"], "--json")
    assert resumed.returncode == 0, resumed.stderr
    lines = [json.loads(line) for line in resumed.stdout.splitlines()]
    assert lines[0]["parameters"]["seed"] == 2
    episodes = [line["episode"] for line in lines if line["type"] == "episode_complete"]
    assert episodes == list(range(last["episodes"] + 1, 61))

    out = str(tmp_path / "straight.pt")
    straight = hamlet_here("train", "--episodes", "60", "--json", *short, "--out", out)
    assert straight.returncode == 0, straight.stderr
    resumed_model = Path(lines[-1]["model_saved"]).read_bytes()
    assert resumed_model == (tmp_path / "straight.pt").read_bytes()


def test_an_error_of_a_process_is_one_sentence_and_exit_code_1(hamlet: Hamlet) -> None:
    run = hamlet("evaluate", "absent.pt")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("hamlet: ")
    assert run.stderr.count("\n") == 1
    assert "absent.pt" in run.stderr


def test_errors_are_one_sentence_and_exit_code_1(hamlet_here: Hamlet, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no checkpoint at all")
    for arguments, named in (
        (["evaluate", "text.pt"], "text.pt"),
        (["train", "--gamma", "3"], "--gamma 3.0: it must be a number from 0 to 1."),
        (["train", "--network-type", "huge"], "--network-type"),
        (["train", "--resume", "nothing"], "nothing"),
        (["serve", "--profile", "staging"], "HAMLET_PROFILE"),
    ):
        run = hamlet_here(*arguments)
        assert run.returncode == 1, arguments
        assert run.stdout == ""
        assert run.stderr.startswith("hamlet: ")
        assert len(run.stderr.splitlines()) == 1
        assert named in run.stderr


def test_every_training_parameter_is_an_option_with_the_wire_s_default(hamlet_here: Hamlet) -> None:
    text = hamlet_here("train", "--help").stdout
    defaults = TrainingParameters()
    of_the_wire_alone = {"show", "show_every", "step_delay", "resume_from"}
    for name in TrainingParameters.__struct_fields__:
        if name not in of_the_wire_alone:
            assert "--" + name.replace("_", "-") in text
    assert f"[default: ({defaults.buffer_capacity})]" in text
