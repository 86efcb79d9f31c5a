from .activations import find_layer as find_layer
from .activations import read_activations as read_activations
from .alignment import Alignment as Alignment
from .alignment import align as align
from .averaging import average as average
from .averaging import interpolation_path as interpolation_path
from .averaging import reestimate_batchnorm as reestimate_batchnorm
from .clustering import Clusters as Clusters
from .clustering import agglomerative_tree as agglomerative_tree
from .clustering import cluster_units as cluster_units
from .clustering import joint_similarity as joint_similarity
from .clustering import spectral_clusters as spectral_clusters
from .configs import TrainConfig as TrainConfig
from .controls import random_matching as random_matching
from .controls import random_rotation as random_rotation
from .controls import rotate as rotate
from .controls import shuffle as shuffle
from .locality import units_needed as units_needed
from .matching import Matching as Matching
from .matching import match_units as match_units
from .moments import Moments as Moments
from .mutual_information import bin_activations as bin_activations
from .mutual_information import mutual_information as mutual_information
from .networks import small_convnet as small_convnet
from .permutation import PermutationGroup as PermutationGroup
from .permutation import permutation_groups as permutation_groups
from .permutation import permute_model as permute_model
from .similarity import cka as cka
from .similarity import cka_rbf as cka_rbf
from .similarity import procrustes as procrustes
from .similarity import pwcca as pwcca
from .similarity import svcca as svcca
from .sparse import SparsePath as SparsePath
from .sparse import duality_gap as duality_gap
from .sparse import sparse_mapping as sparse_mapping
from .statistics import ActivationStats as ActivationStats
from .statistics import LayerStats as LayerStats
from .statistics import collect as collect
from .subspaces import principal_cosines as principal_cosines
from .subspaces import random_cosines as random_cosines
from .training import make_network as make_network
from .training import train_network as train_network
from .weight_matching import weight_matching as weight_matching

__all__ = [
    "ActivationStats",
    "Alignment",
    "Clusters",
    "LayerStats",
    "Matching",
    "Moments",
    "PermutationGroup",
    "SparsePath",
    "TrainConfig",
    "agglomerative_tree",
    "align",
    "average",
    "bin_activations",
    "cka",
    "cka_rbf",
    "cluster_units",
    "collect",
    "duality_gap",
    "find_layer",
    "interpolation_path",
    "joint_similarity",
    "make_network",
    "match_units",
    "mutual_information",
    "permutation_groups",
    "permute_model",
    "principal_cosines",
    "procrustes",
    "pwcca",
    "random_cosines",
    "random_matching",
    "random_rotation",
    "read_activations",
    "reestimate_batchnorm",
    "rotate",
    "shuffle",
    "small_convnet",
    "sparse_mapping",
    "spectral_clusters",
    "svcca",
    "train_network",
    "units_needed",
    "weight_matching",
]
