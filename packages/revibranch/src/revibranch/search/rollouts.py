"""Many episodes at once, in processes."""

import multiprocessing as mp
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from revibranch.configs import ScipConfig
from revibranch.scip.observation import Observation

from .branching import PolicyRule, Rule
from .environment import Instance, solve_episode
from .trees import Decision, Episode


@dataclass(frozen=True)
class Job:
    """An episode to be.

    Attributes:
        instance: What is solved.
        rule: What branches; or the name of one of SCIP's own rules.
        seed: SCIP's.
    """

    instance: Instance
    rule: Rule | str
    seed: int = 0


class RolloutPool:
    """Processes that solve instances; use it as a context.

    >>> with RolloutPool(4) as pool:
    ...     episodes = pool.run([Job(path, PolicyRule(policy), seed) for seed, path in enumerate(paths)])

    Each process computes on one thread of the CPU, wherever the policy is. The episodes are those that this process
    would find on one thread: how many processes there are changes nothing.

    Processes begin anew by importing the main module: a script that uses them needs `if __name__ == "__main__":`.

    Args:
        n_workers: Number of processes; with 0, instances are solved in this one.

    Raises:
        ValueError: if it is negative.
    """

    def __init__(self, n_workers: int = 0) -> None:
        if n_workers < 0:
            raise ValueError(f"the number of workers must be at least 0, not {n_workers}")
        self.n_workers = n_workers
        self._workers: dict[Connection, Any] = {}

    def __enter__(self) -> "RolloutPool":
        context = mp.get_context("spawn")
        for _ in range(self.n_workers):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs,), daemon=True)
            worker.start()
            theirs.close()
            self._workers[ours] = worker
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection, worker in self._workers.items():
            connection.close()
            worker.terminate()
        for worker in self._workers.values():
            worker.join()
        self._workers = {}

    def run(
        self,
        jobs: Sequence[Job],
        config: ScipConfig = ScipConfig(),  # noqa: B008 - immutable
        *,
        record: bool = True,
    ) -> list[Episode]:
        """Solve instances, each process one at a time; policies are sent once to each process.

        Args:
            jobs: What is to be solved.
            config: How SCIP solves; the seeds are those of the jobs.
            record: Keep the decisions with their observations.

        Returns:
            The episodes, in the order of the jobs.

        Raises:
            RuntimeError: if a process ends, or the pool is not entered.
            Exception: whatever solving an instance raises.
        """
        if self.n_workers == 0:
            return [
                solve_episode(job.rule, job.instance, replace(config, seed=job.seed), record=record) for job in jobs
            ]
        if not self._workers:
            raise RuntimeError("a pool with workers is a context: `with RolloutPool(...) as pool:`")
        policies = {id(job.rule.policy): job.rule.policy for job in jobs if isinstance(job.rule, PolicyRule)}
        weights = {key: (type(policy), policy.config, _arrays(policy.state_dict())) for key, policy in policies.items()}
        for connection in self._workers:
            self._send(connection, weights)
        waiting = [
            (i, job.instance, _sent(job.rule), replace(config, seed=job.seed), record) for i, job in enumerate(jobs)
        ]
        waiting.reverse()
        episodes: dict[int, Episode] = {}
        busy = {connection for connection in self._workers if self._give(connection, waiting)}
        while busy:
            ready: list[Any] = wait(list(busy))
            for connection in ready:
                index, packed, failure = self._receive(connection)
                if failure is not None:
                    self.__exit__(None, None, None)
                    raise failure
                episodes[index] = _unpack(*packed)
                if not self._give(connection, waiting):
                    busy.remove(connection)
        return [episodes[index] for index in range(len(jobs))]

    def _give(self, connection: Connection, waiting: list[Any]) -> bool:
        if waiting:
            self._send(connection, waiting.pop())
            return True
        return False

    def _send(self, connection: Connection, message: Any) -> None:  # noqa: ANN401
        try:
            connection.send(message)
        except OSError as error:
            raise self._death(connection) from error

    def _receive(self, connection: Connection) -> Any:  # noqa: ANN401
        try:
            return connection.recv()
        except (EOFError, OSError) as error:
            raise self._death(connection) from error

    def _death(self, connection: Connection) -> RuntimeError:
        """What to raise when a process is gone; ends the others."""
        worker = self._workers[connection]
        worker.join(5)
        self.__exit__(None, None, None)
        return RuntimeError(
            f"a process that solves instances ended with exit code {worker.exitcode}; it may have run out of memory: "
            "use fewer workers"
        )


def _work(connection: Connection) -> None:
    """What a process does until it is ended: it gets weights, or something to solve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    torch.set_num_threads(1)
    policies: dict[int, Any] = {}
    with suppress(EOFError, OSError):
        while True:
            message = connection.recv()
            if isinstance(message, dict):
                policies = {key: _policy(*sent) for key, sent in message.items()}
                continue
            index, instance, rule, config, record = message
            answer: tuple[Any, Any, BaseException | None]
            try:
                if isinstance(rule, _SentRule):
                    rule = PolicyRule(policies[rule.policy], rule.epsilon, rule.seed, greedy=rule.greedy)
                answer = index, _pack(solve_episode(rule, instance, config, record=record)), None
            except BaseException as error:  # noqa: BLE001 - raised where the job came from
                answer = index, None, error
            connection.send(answer)


@dataclass(frozen=True)
class _SentRule:
    """A `PolicyRule` on its way, without its policy."""

    policy: int
    epsilon: float
    seed: int
    greedy: bool


def _sent(rule: Rule | str) -> Rule | str | _SentRule:
    if isinstance(rule, PolicyRule):
        return _SentRule(id(rule.policy), rule.epsilon, rule.seed, rule.greedy)
    return rule


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays, which travel by value: tensors would hold a file open each."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _policy(kind: Any, config: Any, weights: dict[str, np.ndarray]) -> Any:  # noqa: ANN401
    policy = kind(config)
    policy.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return policy


def _pack(episode: Episode) -> tuple[Any, ...]:
    """An episode on its way: edges that observations share are sent once, and indices in 32 bits."""
    programs: dict[int, int] = {}
    edges: list[tuple[Any, Any]] = []
    graphs: list[tuple[Any, ...]] = []
    for decision in episode.decisions:
        seen = decision.observation
        if id(seen.edge_index) not in programs:
            programs[id(seen.edge_index)] = len(edges)
            edges.append((seen.edge_index.numpy().astype(np.int32), seen.edge_attr.numpy()))
        arrays = seen.variables.numpy(), seen.rows.numpy(), seen.candidates.numpy().astype(np.int32)
        graphs.append((programs[id(seen.edge_index)], *arrays))
    plain = [{f.name: getattr(decision, f.name) for f in fields(decision)} for decision in episode.decisions]
    for values in plain:
        del values["observation"]
    return replace(episode, decisions=()), plain, edges, graphs


def _unpack(episode: Episode, plain: Any, edges: Any, graphs: Any) -> Episode:  # noqa: ANN401
    programs = [(torch.from_numpy(index).long(), torch.from_numpy(values)) for index, values in edges]
    decisions = []
    for values, (program, variables, rows, candidates) in zip(plain, graphs, strict=True):
        seen = Observation(
            torch.from_numpy(variables),
            torch.from_numpy(rows),
            edge_index=programs[program][0],
            edge_attr=programs[program][1],
            candidates=torch.from_numpy(candidates).long(),
        )
        decisions.append(Decision(**values, observation=seen))
    return replace(episode, decisions=tuple(decisions))
