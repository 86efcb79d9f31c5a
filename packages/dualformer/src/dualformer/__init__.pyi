from .astar import SearchTask as SearchTask
from .astar import Step as Step
from .astar import Trace as Trace
from .astar import astar as astar
from .configs import EncoderDecoderConfig as EncoderDecoderConfig
from .configs import SamplingConfig as SamplingConfig
from .configs import TrainConfig as TrainConfig
from .dropping import PROBABILITIES as PROBABILITIES
from .dropping import TraceDropper as TraceDropper
from .dropping import level_shares as level_shares
from .dropping import mix as mix
from .examples import Batch as Batch
from .examples import Example as Example
from .examples import ExampleSource as ExampleSource
from .examples import PlanningData as PlanningData
from .examples import buckets as buckets
from .examples import collate as collate
from .examples import seq2seq_collate as seq2seq_collate
from .maze import MazeTask as MazeTask
from .maze import random_mazes as random_mazes
from .metrics import PlanningReport as PlanningReport
from .metrics import at_least_one_of as at_least_one_of
from .metrics import distinct_among as distinct_among
from .metrics import evaluate as evaluate
from .metrics import reference_trace_length as reference_trace_length
from .planner import Planner as Planner
from .planner import Response as Response
from .records import Record as Record
from .records import generate as generate
from .records import generate_many as generate_many
from .records import load_jsonl as load_jsonl
from .records import record_from_trace as record_from_trace
from .records import save_jsonl as save_jsonl
from .rotary import RotaryEmbedding as RotaryEmbedding
from .runs import load as load
from .runs import save as save
from .runs import shipped as shipped
from .sampling import DecoderCache as DecoderCache
from .sampling import sample as sample
from .sokoban import SokobanState as SokobanState
from .sokoban import SokobanTask as SokobanTask
from .sokoban import random_sokobans as random_sokobans
from .steps import DroppedSteps as DroppedSteps
from .steps import StepDropper as StepDropper
from .steps import split_steps as split_steps
from .tokenizer import MazeTokenizer as MazeTokenizer
from .tokenizer import SokobanTokenizer as SokobanTokenizer
from .tokenizer import TaskTokenizer as TaskTokenizer
from .tokenizer import make_tokenizer as make_tokenizer
from .tokenizer import tokenizer_from_task as tokenizer_from_task
from .training import Trainer as Trainer
from .training import cosine_schedule as cosine_schedule
from .training import sequence_nll as sequence_nll
from .transformer import EncoderDecoder as EncoderDecoder
from .transformer import make_model as make_model

__all__ = [
    "PROBABILITIES",
    "Batch",
    "DecoderCache",
    "DroppedSteps",
    "EncoderDecoder",
    "EncoderDecoderConfig",
    "Example",
    "ExampleSource",
    "MazeTask",
    "MazeTokenizer",
    "Planner",
    "PlanningData",
    "PlanningReport",
    "Record",
    "Response",
    "RotaryEmbedding",
    "SamplingConfig",
    "SearchTask",
    "SokobanState",
    "SokobanTask",
    "SokobanTokenizer",
    "Step",
    "StepDropper",
    "TaskTokenizer",
    "Trace",
    "TraceDropper",
    "TrainConfig",
    "Trainer",
    "astar",
    "at_least_one_of",
    "buckets",
    "collate",
    "cosine_schedule",
    "distinct_among",
    "evaluate",
    "generate",
    "generate_many",
    "level_shares",
    "load",
    "load_jsonl",
    "make_model",
    "make_tokenizer",
    "mix",
    "random_mazes",
    "random_sokobans",
    "record_from_trace",
    "reference_trace_length",
    "sample",
    "save",
    "save_jsonl",
    "seq2seq_collate",
    "sequence_nll",
    "shipped",
    "split_steps",
    "tokenizer_from_task",
]
