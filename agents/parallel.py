"""Do the same to many things, in this process or several at a time in others."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(do: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int) -> Iterator[tuple[int, Result]]:
    """Yield what each job came to, with its number, as it ends; `workers` at a time, in processes of their own.

    One worker is this process. Jobs that have not begun are given up where the caller stops. What a job raises is
    raised here; `BrokenProcessPool` is raised where a process was killed.

    >>> list(in_processes(len, ["a", "bc"], workers=1))
    [(0, 1), (1, 2)]
    """
    if workers == 1 or len(jobs) <= 1:
        for number, job in enumerate(jobs):
            yield number, do(job)
        return
    # Not forked: what another thread of this process holds would stay held in the child.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max_workers=min(workers, len(jobs)), mp_context=context)
    try:
        begun: dict[Future[Result], int] = {pool.submit(do, job): number for number, job in enumerate(jobs)}
        for future in as_completed(begun):
            yield begun[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
