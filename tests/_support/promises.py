"""What distributed's own tests of its client ask of a cluster, asked of ours: same names, our own words.

Its tests are in no package of its, and start clusters of their own; these take any client. They stand in its
`test_client.py`, `test_actor.py`, `test_publish.py`, `test_queues.py`, `test_variable.py`, `test_locks.py`,
`test_events.py`, `test_semaphore.py` and `test_as_completed.py`.
"""

from __future__ import annotations

from concurrent.futures import CancelledError

import dask
from distributed import (
    Client,
    Event,
    Lock,
    Queue,
    Semaphore,
    Variable,
    as_completed,
    fire_and_forget,
    get_client,
    performance_report,
    secede,
    wait,
    worker_client,
)


def functions():
    """Give functions that travel whole: machines do not know this module."""

    def inc(number):
        return number + 1

    def div(one, other):
        return one / other

    class Counter:
        """An actor; what is read from afar stands in the class."""

        n = 0

        def increment(self):
            self.n += 1
            return self.n

    return inc, div, Counter


inc, div, Counter = functions()


def test_map(client: Client) -> None:
    """Tasks for each of a list, and tasks of their results."""
    first = client.map(inc, range(5))
    second = client.map(inc, first)
    assert client.gather(second) == [2, 3, 4, 5, 6]
    assert client.submit(sum, first).result() == 15


def test_map_batch_size(client: Client) -> None:
    """Tasks sent in pieces."""
    assert client.gather(client.map(inc, range(100), batch_size=10)) == list(range(1, 101))


def test_submit_errors(client: Client) -> None:
    """What a task raises comes back, and what stands on it fails too."""
    bad = client.submit(div, 1, 0)
    after = client.submit(inc, bad)
    wait([bad, after])
    assert (bad.status, after.status) == ("error", "error")
    assert isinstance(after.exception(), ZeroDivisionError)
    assert client.gather([bad, client.submit(inc, 1)], errors="skip") == [2]


def test_retries(client: Client) -> None:
    """A task that fails is done again as often as was said."""
    left = Variable("left", client=client)
    left.set(2)

    def sometimes():
        tries = Variable("left").get()
        Variable("left").set(tries - 1)
        if tries:
            raise ValueError(tries)
        return "done"

    assert client.submit(sometimes, retries=3, pure=False).result(timeout=30) == "done"
    left.delete()


def test_scatter(client: Client) -> None:
    """Data is put on workers, by list and by name, once and everywhere."""
    one, other = client.scatter([1, "two"])
    assert client.gather([one, other]) == [1, "two"]
    named = client.scatter({"x": 10})
    assert client.submit(inc, named["x"]).result() == 11
    everywhere = client.scatter([1, 2, 3], broadcast=True)
    held = client.who_has(everywhere)
    assert {len(workers) for workers in held.values()} == {
        len(client.scheduler_info(n_workers=-1)["workers"])
    }


def test_gather(client: Client) -> None:
    """Results come back in the shape in which futures were given."""
    futures = {"a": client.submit(inc, 1), "b": [client.submit(inc, 2)]}
    assert client.gather(futures) == {"a": 2, "b": [3]}


def test_get(client: Client) -> None:
    """A graph is computed as a whole."""
    lazy = dask.delayed(sum)([dask.delayed(inc)(number) for number in range(10)])
    assert client.compute(lazy).result() == 55
    assert client.persist(lazy).compute() == 55


def test_as_completed(client: Client) -> None:
    """Futures come in the order in which they end, and more may be added."""
    queue = as_completed(client.map(inc, range(5)), with_results=True)
    assert sorted(result for _, result in queue) == [1, 2, 3, 4, 5]


def test_cancel(client: Client) -> None:
    """What is cancelled is not computed."""
    gate = Event("never", client=client)
    future = client.submit(lambda: Event("never").wait(timeout=60), pure=False)
    client.cancel([future])
    try:
        future.result(timeout=30)
    except CancelledError:
        pass
    else:
        raise AssertionError("it was computed")
    gate.set()


def test_worker_client(client: Client) -> None:
    """Tasks start tasks."""

    def more(count):
        with worker_client() as inner:
            return sum(inner.gather(inner.map(inc, range(count))))

    def still_more(count):
        inner = get_client()
        futures = inner.map(inc, range(count))
        secede()
        return sum(inner.gather(futures))

    assert client.submit(more, 5).result(timeout=30) == 15
    assert client.submit(still_more, 6).result(timeout=30) == 21


def test_actors(client: Client) -> None:
    """An object lives on one worker and is called there."""
    counter = client.submit(Counter, actor=True).result()
    assert [counter.increment().result() for _ in range(3)] == [1, 2, 3]
    assert counter.n == 3


def test_publish(client: Client) -> None:
    """Data with a name is there for every client."""
    client.publish_dataset(numbers=client.map(inc, range(3)))
    assert client.gather(client.get_dataset("numbers")) == [1, 2, 3]
    assert client.list_datasets() == ("numbers",)
    client.unpublish_dataset("numbers")
    assert client.list_datasets() == ()


def test_queue(client: Client) -> None:
    """Tasks and clients pass each other what they have."""
    queue = Queue("line", client=client)
    client.submit(lambda: Queue("line").put(7), pure=False).result()
    assert queue.get(timeout=30) == 7
    queue.close()


def test_lock(client: Client) -> None:
    """One task at a time is in."""

    def alone(number):
        with Lock("door"):
            inside = Variable("inside")
            inside.set(number)
            return inside.get(timeout=10) == number

    assert all(client.gather(client.map(alone, range(8), pure=False)))


def test_semaphore(client: Client) -> None:
    """So many tasks at a time are in."""
    leases = Semaphore(max_leases=2, name="two")

    def within(number, leases):
        with leases:
            return number

    assert client.gather(client.map(within, range(6), leases=leases)) == list(range(6))
    leases.close()


def test_events(client: Client) -> None:
    """What is told on a topic reaches the client."""
    seen = Event("seen", client=client)
    client.subscribe_topic("news", lambda _: seen.set())
    client.submit(lambda: get_client().log_event("news", {"told": 1}), pure=False).result()
    assert seen.wait(timeout=30)
    client.unsubscribe_topic("news")


def test_fire_and_forget(client: Client) -> None:
    """A task that nobody holds is computed."""
    done = Event("done", client=client)
    fire_and_forget(client.submit(lambda: Event("done").set(), pure=False))
    assert done.wait(timeout=30)


def test_run(client: Client) -> None:
    """A function runs on every worker, and on the scheduler."""
    workers = set(client.scheduler_info(n_workers=-1)["workers"])
    assert set(client.run(lambda dask_worker: dask_worker.address).values()) == workers
    assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers)) == len(workers)


def test_restart(client: Client) -> None:
    """Workers begin anew, and compute."""
    count = len(client.scheduler_info(n_workers=-1)["workers"])
    client.restart(timeout=90)
    client.wait_for_workers(count, timeout=90)
    assert client.submit(inc, 1).result(timeout=30) == 2


def test_performance_report(client: Client, folder) -> None:
    """A page tells how it went."""
    with performance_report(filename=str(folder / "report.html")):
        wait(client.map(inc, range(1000, 1020)))
    text = (folder / "report.html").read_text()
    assert "Dask Performance Report" in text
    assert "bokeh" in text.lower()


#: In the order in which they run.
ALL = [found for name, found in list(globals().items()) if name.startswith("test_")]
