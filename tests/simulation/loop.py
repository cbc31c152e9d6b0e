"""Run coroutines of several simulated processes in virtual time, in an order that a seed decides."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

Result = TypeVar("Result")


class ProcessEnded(BaseException):
    """Unwinds the handle in which a process ends, as `os._exit` would; nothing of that process runs any more."""


class Stuck(Exception):
    """Nothing can happen any more, or too much has happened without an end."""


class Process:
    """What lives and dies together: its handles run in their order, and only while it is neither dead nor stopped."""

    def __init__(self, loop: "SeededLoop", name: str) -> None:
        self.loop = loop
        self.name = name
        self.is_alive = True
        self.is_stopped = False
        self.ready: deque[asyncio.Handle] = deque()
        self.context: Context = copy_context()
        self.context.run(_OWNER.set, self)

    def start(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Begin a coroutine that belongs to this process."""
        return self.context.run(self.loop.create_task, work)

    def kill(self) -> None:
        """End at once: what waits is never done, and nothing is cleaned up."""
        self.is_alive = False
        self.ready.clear()


_OWNER: ContextVar[Process] = ContextVar("owner")


class SeededLoop(asyncio.AbstractEventLoop):
    """An event loop without a clock: time passes when nothing is left to do at an instant.

    Which process goes on is drawn; within a process the order is that of asyncio. `before` is told the process whose
    handle is next, and may end or stop it.
    """

    def __init__(self, random: Random, *, steps_max: int) -> None:
        self.random = random
        self.steps = 0
        self.steps_max = steps_max
        self.before: Callable[[Process], None] = lambda process: None
        self.errors: list[BaseException] = []
        self.processes: list[Process] = []
        self._now_s = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process]] = []
        self._timer_count = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.world = self.process("world")

    def process(self, name: str) -> Process:
        """Return a new process."""
        self.processes.append(Process(self, name))
        return self.processes[-1]

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Return virtual time in seconds."""
        return self._now_s

    def get_debug(self) -> bool:
        """Say that asyncio need not check more than it does."""
        return False

    def is_running(self) -> bool:
        """Say that the loop runs; it does whenever anybody can ask."""
        return True

    def is_closed(self) -> bool:
        """Say that the loop is not closed."""
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> "asyncio.Task[Any]":
        """Return a task of this loop; it is kept to the end, for what a dead process left must not be cleaned up."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    # The signatures are those of asyncio without its type variables, which a callback of any kind would need.
    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Have a callback run in its process's turn."""
        context = context or copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        process = context.get(_OWNER, self.world)
        if process.is_alive:
            process.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have a callback run when virtual time has passed."""
        return self.call_at(self._now_s + max(0.0, delay), callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have a callback run at an instant of virtual time."""
        context = context or copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timer_count += 1
        heapq.heappush(self._timers, (when, self._timer_count, handle, context.get(_OWNER, self.world)))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave a cancelled timer where it is; running it does nothing."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what failed in a callback; what a task or future of a dead process leaves unread is no matter."""
        error = context.get("exception")
        if error is not None and not isinstance(error, ProcessEnded) and "never retrieved" not in context["message"]:
            self.errors.append(error)

    # How it runs.

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run until a coroutine of the world is done; raises what it raises, `Stuck`, or what failed elsewhere."""
        asyncio._set_running_loop(self)
        try:
            task = self.world.start(work)
            while not task.done():
                self._step()
            return task.result()
        finally:
            for left in self._tasks:
                if not left.done():
                    # Told to the loop otherwise, and then thrown into its coroutine at a moment that nobody chose.
                    left._log_destroy_pending = False  # type: ignore[attr-defined]
                    _close(left.get_coro())
            asyncio._set_running_loop(None)

    def _step(self) -> None:
        if self.errors:
            raise self.errors[0]
        able = [process for process in self.processes if process.ready and not process.is_stopped]
        if not able:
            self._pass_time()
            return
        self.steps += 1
        if self.steps > self.steps_max:
            raise Stuck(f"expected an end within {self.steps_max} steps, got none")
        process = able[0] if len(able) == 1 else self.random.choice(able)
        self.before(process)
        if process.is_alive and not process.is_stopped and process.ready:
            handle = process.ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _pass_time(self) -> None:
        if not self._timers:
            raise Stuck("expected something to happen, got a world in which everything waits")
        self._now_s = max(self._now_s, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now_s:
            _, _, handle, process = heapq.heappop(self._timers)
            if process.is_alive and not handle.cancelled():
                process.ready.append(handle)
        self.processes = [process for process in self.processes if process.is_alive]


def _close(coroutine: Any) -> None:
    """Throw a coroutine away, whatever it says to that: its process is over, and nobody is left to be told."""
    with suppress(Exception, ProcessEnded):
        coroutine.close()
