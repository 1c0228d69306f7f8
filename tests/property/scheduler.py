"""Runs product code in coroutines: at every call through a port another actor may run first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import greenlet

from dynadex.testing import ManualClock


@dataclass(eq=False)
class Actor:
    """A running piece of product code. It can be resumed once ``wake_at`` (virtual seconds) has passed."""

    name: str
    started_at: float
    coroutine: Any = None
    wake_at: float = 0.0
    result: Any = None
    error: Exception | None = None
    on_end: list[Callable[[Actor], None]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return bool(self.coroutine.dead)


class Scheduler:
    """Actors and virtual time. Actors run only by ``step``; time passes only by ``advance``.

    ``stall`` returns, at each pause of an actor, for how many more seconds it hangs there: a slow network, a frozen
    sandbox.
    """

    def __init__(self, clock: ManualClock, stall: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock
        self._stall = stall
        self.actors: list[Actor] = []
        self._main = greenlet.getcurrent()
        self._running: Actor | None = None

    def spawn(self, name: str, work: Callable[[], Any], on_end: Callable[[Actor], None] | None = None) -> Actor:
        """Create an actor, which runs at its first step."""
        actor = Actor(name, self.clock.monotonic(), on_end=[on_end] if on_end else [])

        def body() -> None:
            try:
                actor.result = work()
            except Exception as error:  # noqa: BLE001 - read by the code that steps the actor
                actor.error = error

        actor.coroutine = greenlet.greenlet(body)
        self.actors.append(actor)
        return actor

    def pause(self, seconds: float = 0.0) -> None:
        """Let other actors run, for at least this long. Called by product code in an actor."""
        if self._running is None:
            self.clock.advance(seconds)
            return
        self._running.wake_at = self.clock.monotonic() + seconds + self._stall()
        self._main.switch()

    def ready(self) -> list[Actor]:
        """Return the actors that can be resumed now."""
        now = self.clock.monotonic()
        return [actor for actor in self.actors if actor.wake_at <= now]

    def step(self, actor: Actor) -> None:
        """Run one actor to its next pause, or its end."""
        self._running = actor
        try:
            actor.coroutine.switch()
        finally:
            self._running = None
        if actor.done:
            self.actors.remove(actor)
            for callback in actor.on_end:
                callback(actor)

    def kill(self, actor: Actor) -> None:
        """Crash an actor: it never resumes, and its callbacks are not called."""
        self.actors.remove(actor)

    def finish(self, actor: Actor) -> None:
        """Run one actor to its end; time passes where it waits."""
        while not actor.done:
            self.clock.advance(max(0.0, actor.wake_at - self.clock.monotonic()))
            self.step(actor)

    def advance(self, seconds: float, oldest: float) -> None:
        """Let time pass, after finishing each actor that would become older than ``oldest`` seconds."""
        for actor in list(self.actors):
            if actor in self.actors and self.clock.monotonic() + seconds - actor.started_at > oldest:
                self.finish(actor)
        self.clock.advance(seconds)


class ActorClock:
    """The product's clock in the world: virtual, ``skew_us`` ahead of the table's clock, and sleep is a pause."""

    def __init__(self, scheduler: Scheduler, skew_us: int) -> None:
        self._scheduler = scheduler
        self._skew_us = skew_us

    def now_us(self) -> int:
        return self._scheduler.clock.now_us() + self._skew_us

    def monotonic(self) -> float:
        return self._scheduler.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._scheduler.pause(seconds)
