"""A stopped command gives no result."""

from __future__ import annotations

import os
import signal
import threading
from importlib import import_module
from typing import Any

import pytest
from typer.testing import CliRunner

import dynadex.maintenance.redrive
import dynadex.runtime
import dynadex.scaffold.sample
import dynadex.scaffold.trial_index
from dynadex.cli import app
from dynadex.maintenance.redrive import Redriven
from dynadex.scaffold.sample import Sample
from tests.unit.verify_stage import Stage
from tests.waiting import wait_for

SYNC = "dynadex.demo.lessons:sync"


def interrupted(stop: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    wait_for(stop, "the signal")


def test_worker_and_its_command_stop_before_docker_kills_them() -> None:
    command, worker = import_module("dynadex.cli.run"), import_module("dynadex.worker.worker")
    assert worker._STOP_SECONDS + worker._RELEASE_SECONDS < command._STOP_SECONDS < 10


def test_stopped_redrive_gives_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def redrive(_: Any, stop: threading.Event, *__: Any, **___: Any) -> Redriven:
        interrupted(stop.is_set)
        return Redriven()

    monkeypatch.setattr(dynadex.maintenance.redrive, "redrive", redrive)
    monkeypatch.setattr(dynadex.runtime, "connect", lambda *_: None)
    answer = CliRunner().invoke(app, ["redrive", SYNC])
    assert answer.exit_code == 1
    assert "stopped before its end" in answer.output
    assert "no dead letters" not in answer.output


def test_stopped_check_gives_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(_: Any, __: str, ___: int, stopped: Any) -> Sample:
        interrupted(stopped)
        return Sample(Stage().runtime().description, (), whole=False)

    monkeypatch.setattr(dynadex.scaffold.sample, "take", take)
    answer = CliRunner().invoke(app, ["check", SYNC, "--dynamodb", "http://127.0.0.1:1"])
    assert answer.exit_code == 1
    assert "stopped before its end" in answer.output
    assert "No errors" not in answer.output


def test_stopped_check_on_the_cluster_deletes_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = []

    def index_on_trial(*_: Any) -> dict[str, str]:
        os.kill(os.getpid(), signal.SIGTERM)
        deleted.append("index")
        return {}

    monkeypatch.setattr(
        dynadex.scaffold.sample, "take", lambda *_: Sample(Stage().runtime().description, (), whole=False)
    )
    monkeypatch.setattr(dynadex.scaffold.trial_index, "index_on_trial", index_on_trial)
    answer = CliRunner().invoke(app, ["check", SYNC, "--on-cluster", "--dynamodb", "http://127.0.0.1:1"])
    assert (answer.exit_code, deleted) == (1, ["index"])
