"""Two workers or more under a supervisor, as in production: whoever dies is started again, and tests may kill them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

from tests.streaming.live import Live, WorkerProcess, until

LOST_GROUP: Final = 77
"""Exit code of a worker whose group was lost; the embedded broker does that to one whose SyncGroup is slow."""
_KILLED: Final = -9
_NOT_YET_UP: Final = -15  # told to end before it listens to signals


class Crew:
    """Workers by name. One that was killed or lost its group is started again at once; any other end is a failure."""

    def __init__(self, broker: Live) -> None:
        self._broker = broker
        self._workers: dict[str, WorkerProcess] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failed: list[str] = []
        self.deaths = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Crew:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(30)

    def join(self, *names: str) -> None:
        """These work from now on."""
        with self._lock:
            self._workers |= {name: self._broker.worker(name) for name in names}
        until(self._all_ready, 60, "all workers ready")

    @property
    def workers(self) -> list[WorkerProcess]:
        """Those who work now, by name."""
        with self._lock:
            return [self._workers[name] for name in sorted(self._workers)]

    def leave(self, name: str) -> None:
        """This one ends in good order and stays away."""
        with self._lock:
            worker = self._workers.pop(name)
        assert worker.term() in (0, LOST_GROUP, _NOT_YET_UP), worker.output

    def kill(self, name: str, *, wipe: bool = False) -> None:
        """SIGKILL: it comes back at once, with its store or an empty one."""
        with self._lock:
            self._workers[name].kill()
            if wipe:
                self._broker.wipe(name)
        self.deaths += 1

    def all(self, true: Callable[[WorkerProcess], bool]) -> bool:
        """Whether something is true of every worker."""
        with self._lock:
            return all(true(worker) for worker in self._workers.values())

    def settle(self, seconds: float = 90.0) -> None:
        """Wait until nothing is left to do; AssertionError where a worker ended as it should not."""
        self._broker.settle(seconds)
        assert not self._failed, self._failed

    def _all_ready(self) -> bool:
        assert not self._failed, self._failed
        with self._lock:
            return all(worker.process.poll() is None and worker.is_ready() for worker in self._workers.values())

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            with self._lock:
                for name, worker in self._workers.items():
                    code = worker.process.poll()
                    if code is None:
                        continue
                    if code not in (LOST_GROUP, _KILLED):
                        self._failed.append(f"{name} ended with {code}: {worker.output[-500:]}")
                    self._workers[name] = self._broker.worker(name)
