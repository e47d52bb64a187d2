"""Ray's part, played by threads: actors that answer, and die when a task says so."""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import ray
from ray_tasks import Died


class PlayedActor:
    """An actor: each method is called in a thread of its own."""

    def __init__(self, kind: Any, *arguments: Any) -> None:
        self.killed = False
        self.dead: Future[Any] = Future()
        task, *rest = arguments

        def watched(number: int, items: Any, send: Callable[[Any], object]) -> None:
            try:
                task(number, items, send)
            except Died:
                self.dead.set_exception(ray.exceptions.ActorDiedError())
                threading.Event().wait()  # it says nothing any more

        self._actor = kind(watched, *rest)
        self.give, self.events = Method(self, "give"), Method(self, "events")


class Method:
    """A method of an actor, to be called from afar."""

    def __init__(self, actor: PlayedActor, name: str) -> None:
        self.actor, self.name = actor, name

    def remote(self, *arguments: Any) -> "Future[Any]":
        """Call it; the answer comes later, or the news of the actor's death."""
        answer: Future[Any] = Future()

        def call() -> None:
            answer.set_result(getattr(self.actor._actor, self.name)(*arguments))

        threading.Thread(target=call, daemon=True).start()
        first: Future[Any] = Future()
        for one in (answer, self.actor.dead):
            one.add_done_callback(lambda done: _hand_on(done, first))
        return first


def _hand_on(done: "Future[Any]", first: "Future[Any]") -> None:
    if first.done():
        return
    if error := done.exception():
        first.set_exception(error)
    else:
        first.set_result(done.result())


class PlayedRay:
    """What the engine asks of the module ``ray``."""

    exceptions = ray.exceptions

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.actors: list[PlayedActor] = []

    def cluster_resources(self) -> dict[str, float]:
        """Return what the cluster has."""
        return {"CPU": float(self.cores)}

    def remote(self, kind: Any) -> "Made":
        """Return what makes actors of a class."""
        return Made(self, kind)

    def wait(
        self, answers: list[Any], timeout: float, num_returns: int = 1
    ) -> tuple[list[Any], list[Any]]:
        """Return the answers that are there, and the others, as soon as there is one."""
        done, left = wait(answers, timeout, FIRST_COMPLETED)
        return list(done), list(left)

    def get(self, answer: "Future[Any]") -> Any:
        """Return an answer."""
        return answer.result()

    def kill(self, actor: PlayedActor) -> None:
        """End an actor."""
        actor.killed = True


class Made:
    """A class of actors, with the resources that each takes."""

    def __init__(self, played: PlayedRay, kind: Any) -> None:
        self.played, self.kind = played, kind

    def options(self, **resources: Any) -> "Made":
        """Take note of the resources."""
        assert resources["num_cpus"] == 1
        return self

    def remote(self, *arguments: Any) -> PlayedActor:
        """Start an actor."""
        actor = PlayedActor(self.kind, *arguments)
        self.played.actors.append(actor)
        return actor
