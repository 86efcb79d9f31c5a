from .configs import RUNS as RUNS
from .configs import DataConfig as DataConfig
from .configs import ModelConfig as ModelConfig
from .configs import RunConfig as RunConfig
from .configs import TrainConfig as TrainConfig
from .configs import make_config as make_config
from .diagnosis import FourierReport as FourierReport
from .drawing import draw_circles as draw_circles
from .drawing import draw_counts as draw_counts
from .drawing import draw_flow as draw_flow
from .drawing import draw_grokking as draw_grokking
from .drawing import draw_logits as draw_logits
from .drawing import draw_lottery as draw_lottery
from .drawing import draw_phases as draw_phases
from .drawing import draw_spectra as draw_spectra
from .drawing import draw_votes as draw_votes
from .export import save_onnx as save_onnx
from .flow import FlowTrajectory as FlowTrajectory
from .flow import crossing_time as crossing_time
from .flow import decoupled_flow as decoupled_flow
from .flow import flow_rates as flow_rates
from .flow import invariants as invariants
from .flow import scipy_flow as scipy_flow
from .fourier import Spectrum as Spectrum
from .fourier import fourier_basis as fourier_basis
from .fourier import participation_ratio as participation_ratio
from .fourier import spectrum as spectrum
from .fourier import synthesize as synthesize
from .fourier import wrap as wrap
from .gradients import Batch as Batch
from .gradients import loss_and_gradients as loss_and_gradients
from .grokking import GrokkingStages as GrokkingStages
from .grokking import detect_grokking_stages as detect_grokking_stages
from .grokking import stages_of_rows as stages_of_rows
from .groups import PairData as PairData
from .groups import all_pairs as all_pairs
from .groups import label_table as label_table
from .groups import split as split
from .ideal import GhostReport as GhostReport
from .ideal import flawed_indicator as flawed_indicator
from .ideal import ghosts as ghosts
from .ideal import ideal_network as ideal_network
from .ideal import ideal_weights as ideal_weights
from .ideal import measure_ghosts as measure_ghosts
from .lottery import LotteryReport as LotteryReport
from .lottery import LotteryRun as LotteryRun
from .lottery import LotteryTickets as LotteryTickets
from .lottery import judge as judge
from .lottery import lottery_tickets as lottery_tickets
from .lottery import play as play
from .lottery import predict_winner as predict_winner
from .network import ModularAdditionNet as ModularAdditionNet
from .network import logit_table as logit_table
from .network import pair_logits as pair_logits
from .network import single_frequency_weights as single_frequency_weights
from .runs import TrainReport as TrainReport
from .runs import load as load
from .runs import make_net as make_net
from .runs import save as save
from .runs import train_run as train_run
from .training import Trainer as Trainer
from .training import train as train
from .voting import addition_accuracy as addition_accuracy
from .voting import pure_weights as pure_weights
from .voting import vote_accuracy as vote_accuracy
from .weights import NetworkWeights as NetworkWeights
from .weights import WeightNames as WeightNames
from .weights import load_weights as load_weights

__all__ = [
    "RUNS",
    "Batch",
    "DataConfig",
    "FlowTrajectory",
    "FourierReport",
    "GhostReport",
    "GrokkingStages",
    "LotteryReport",
    "LotteryRun",
    "LotteryTickets",
    "ModelConfig",
    "ModularAdditionNet",
    "NetworkWeights",
    "PairData",
    "RunConfig",
    "Spectrum",
    "TrainConfig",
    "TrainReport",
    "Trainer",
    "WeightNames",
    "addition_accuracy",
    "all_pairs",
    "crossing_time",
    "decoupled_flow",
    "detect_grokking_stages",
    "draw_circles",
    "draw_counts",
    "draw_flow",
    "draw_grokking",
    "draw_logits",
    "draw_lottery",
    "draw_phases",
    "draw_spectra",
    "draw_votes",
    "flawed_indicator",
    "flow_rates",
    "fourier_basis",
    "ghosts",
    "ideal_network",
    "ideal_weights",
    "invariants",
    "judge",
    "label_table",
    "load",
    "load_weights",
    "logit_table",
    "loss_and_gradients",
    "lottery_tickets",
    "make_config",
    "make_net",
    "measure_ghosts",
    "pair_logits",
    "participation_ratio",
    "play",
    "predict_winner",
    "pure_weights",
    "save",
    "save_onnx",
    "scipy_flow",
    "single_frequency_weights",
    "spectrum",
    "split",
    "stages_of_rows",
    "synthesize",
    "train",
    "train_run",
    "vote_accuracy",
    "wrap",
]
