"""Tasks of one's own: a search in a graph, from its trace to a planner on disk."""

from dataclasses import dataclass

import numpy as np
import pytest

from dualformer import (
    EncoderDecoderConfig,
    MazeTokenizer,
    Planner,
    PlanningData,
    Response,
    SearchTask,
    TaskTokenizer,
    TraceDropper,
    TrainConfig,
    Trainer,
    astar,
    evaluate,
    load,
    make_model,
    record_from_trace,
    reference_trace_length,
    save,
    save_jsonl,
)

EDGES = {0: (1, 2), 1: (3,), 2: (4,), 3: (5,), 4: (3, 5), 5: ()}
RNG = np.random.default_rng


@dataclass(frozen=True)
class Graph(SearchTask[int]):
    """A shortest path in a directed graph; a state is the number of a node."""

    start: int
    goal: int

    @property
    def initial(self):
        return self.start

    def children(self, state):
        return EDGES[state]

    def heuristic(self, state):
        return 0 if state == self.goal else 1

    def is_goal(self, state):
        return state == self.goal

    def key(self, state):
        return state

    def is_solved_by(self, plan):
        nodes = [x for x, _ in plan]
        follows = all(b in EDGES.get(a, ()) for a, b in zip(nodes, nodes[1:]))
        return bool(nodes) and (nodes[0], nodes[-1]) == (self.start, self.goal) and follows


class GraphTokenizer(TaskTokenizer):
    kind = "graph"
    task_type = Graph

    def words(self):
        return ["from", "to", "create", "close", "plan", *map(str, range(6)), *(f"c{i}" for i in range(8))]

    def prompt(self, task):
        return ["from", str(task.start), "to", str(task.goal)]

    def state(self, state, task):
        return [str(state)]

    def place(self, state):
        return state, 0


TOKENIZER = GraphTokenizer(6, 1)
TASKS = [Graph(start, goal) for start, goal in ((0, 5), (0, 3), (2, 5), (2, 3), (1, 5))]


def records():
    return [record_from_trace(task, astar(task, rng=RNG(i)), TOKENIZER) for i, task in enumerate(TASKS)]


@pytest.fixture(scope="module")
def planner():
    model = make_model(EncoderDecoderConfig(len(TOKENIZER.vocab), 32, 1, 2), 0)
    data = PlanningData(records(), TOKENIZER, TraceDropper())
    Trainer(model, data, TrainConfig(steps=150, batch_size=20, lr=1e-2)).fit()
    return Planner(model, TOKENIZER)


def test_a_graph_is_written_in_words():
    task = Graph(1, 5)
    record = record_from_trace(task, astar(task, deterministic=True), TOKENIZER)
    assert TOKENIZER.decode(TOKENIZER.encode_prompt(task)) == ["from", "1", "to", "5"]
    assert " ".join(record.reasoning[:10]) == "create 1 c0 c1 close 1 c0 c1 create 3"
    assert " ".join(record.plan) == "plan 1 0 plan 3 0 plan 5 0"


def test_a_graph_is_learned_and_solved_in_every_mode(planner):
    for mode in ("fast", "slow", "auto"):
        responses = planner.solve_all(TASKS, mode, 8, max_len=80)
        report = evaluate(responses, records())
        assert report.one_optimal >= 0.8
        assert (report.slow_share == 0) == (mode == "fast")


def test_a_planner_of_own_tasks_comes_back_from_disk(planner, tmp_path):
    save(planner, tmp_path / "graph")
    again = load(tmp_path / "graph", "cpu", tokenizer=GraphTokenizer(6, 1))
    assert again.solve(TASKS[0], "slow", 3, max_len=40) == planner.solve(TASKS[0], "slow", 3, max_len=40)
    with pytest.raises(ValueError, match=r"is for graph tasks; load it in code, with load\(\.\.\., tokenizer"):
        load(tmp_path / "graph", "cpu")
    for other in (GraphTokenizer(7, 1), MazeTokenizer(6, 1)):
        with pytest.raises(ValueError, match="was saved with another tokenizer"):
            load(tmp_path / "graph", "cpu", tokenizer=other)


def test_other_tasks_are_refused_by_their_name():
    with pytest.raises(ValueError, match="is for maze tasks, not for Graph"):
        MazeTokenizer(6, 1).encode_prompt(TASKS[0])
    with pytest.raises(ValueError, match="there is no tokenizer for a Graph; give your own"):
        reference_trace_length(TASKS[0], RNG(0))
    assert reference_trace_length(TASKS[4], RNG(0), tokenizer=TOKENIZER) == 24


def test_files_hold_no_tasks_of_ones_own(tmp_path):
    with pytest.raises(ValueError, match="files hold mazes and Sokoban levels, not Graph"):
        save_jsonl(records(), tmp_path / "graph.jsonl")
    assert not list(tmp_path.iterdir())


def test_a_task_without_a_solution_has_no_record():
    with pytest.raises(ValueError, match="the task cannot be solved"):
        record_from_trace(Graph(3, 0), astar(Graph(3, 0), deterministic=True), TOKENIZER)


class Line(SearchTask[tuple[int, int]]):
    """From 0 to 3 on a line, with a heuristic of half the distance; states are positions themselves."""

    initial = (0, 0)

    def __init__(self, scale=0.5):
        self.scale = scale
        self.moves = {(x, 0): [(x + 1, 0), (x - 1, 0)] for x in range(-9, 9)}

    def children(self, state):
        return self.moves[state]

    def heuristic(self, state):
        return self.scale * abs(3 - state[0])

    def is_goal(self, state):
        return state == (3, 0)

    def key(self, state):
        return state[0]


def test_the_plan_of_positions_is_judged_by_the_children():
    task = Line()
    assert task.is_solved_by(astar(task, rng=RNG(0)).plan)
    for wrong in ((), ((0, 0),), ((1, 0), (2, 0), (3, 0)), ((0, 0), (3, 0)), ((0, 0), (1, 0), (2, 0))):
        assert not task.is_solved_by(wrong)
        assert not Response(tuple(" ".join(f"plan {x} {y}" for x, y in wrong).split()), is_ended=True).solves(task)


def test_a_search_leaves_the_lists_of_children_as_they_are():
    task = Line()
    before = {state: list(children) for state, children in task.moves.items()}
    for seed in range(5):
        astar(task, rng=RNG(seed))
    assert task.moves == before


def test_fractions_of_a_heuristic_are_kept_and_have_no_token():
    trace = astar(Line(), deterministic=True)
    assert [step.h for step in trace.steps[:3]] == [1.5, 1.5, 1]
    assert type(trace.steps[2].h) is int

    class LineTokenizer(GraphTokenizer):
        def state(self, state, task):
            return [str(state[0])]

    with pytest.raises(ValueError, match=r"the heuristic 1.5 of \(0, 0\) is not a whole number"):
        LineTokenizer(6, 1).trace(trace.steps, Line())


def test_whole_numbers_as_floats_are_whole_costs():
    trace = astar(Line(np.float64(1)), deterministic=True)
    assert [(step.h, type(step.h)) for step in trace.steps[:2]] == [(3, int), (3, int)]


def test_a_heuristic_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="the heuristic of .* is not a number"):
        astar(Line(float("nan")), deterministic=True)


def test_a_vocabulary_without_the_words_of_a_trace_is_refused():
    class Short(GraphTokenizer):
        def words(self):
            return [word for word in super().words() if word != "close"]

    with pytest.raises(ValueError, match="'close' is not in the vocabulary"):
        PlanningData([], Short(6, 1), TraceDropper())
