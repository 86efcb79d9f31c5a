from .baselines.align import GenerateAndAlign as GenerateAndAlign
from .baselines.align import ScaledICP as ScaledICP
from .baselines.regress import PoseHead as PoseHead
from .baselines.regress import PoseRegressor as PoseRegressor
from .baselines.regress import pose_examples as pose_examples
from .baselines.regress import train_pose_head as train_pose_head
from .baselines.simple import BoxFill as BoxFill
from .baselines.simple import SingleStage as SingleStage
from .baselines.simple import VisibleOnly as VisibleOnly
from .completion.fixer import Fixer as Fixer
from .completion.fixer import load as load
from .completion.fixer import save as save
from .completion.objects import CompletedObject as CompletedObject
from .completion.objects import save_objects as save_objects
from .completion.pretrained import TrellisModels as TrellisModels
from .completion.pretrained import load_trellis as load_trellis
from .completion.scene import Scene as Scene
from .completion.targets import Target as Target
from .completion.texturing import VoxelColors as VoxelColors
from .completion.texturing import sample_colors as sample_colors
from .completion.texturing import textured as textured
from .completion.weights import load_model as load_model
from .completion.weights import model_from_trellis as model_from_trellis
from .configs import AugmentConfig as AugmentConfig
from .configs import EncoderConfig as EncoderConfig
from .configs import FlowConfig as FlowConfig
from .configs import ImageFiles as ImageFiles
from .configs import ModelConfig as ModelConfig
from .configs import SamplerConfig as SamplerConfig
from .configs import SceneConfig as SceneConfig
from .configs import TrainConfig as TrainConfig
from .configs import VAEConfig as VAEConfig
from .flow.alignment import alignment_loss as alignment_loss
from .flow.alignment import reference_hidden as reference_hidden
from .flow.rectified import RectifiedFlow as RectifiedFlow
from .flow.rectified import sample_times as sample_times
from .flow.sampling import make_velocity as make_velocity
from .flow.sampling import sample as sample
from .geometry.cameras import Intrinsics as Intrinsics
from .geometry.cameras import back_project as back_project
from .geometry.cameras import look_at as look_at
from .geometry.cameras import project as project
from .geometry.cameras import rays as rays
from .geometry.distances import chamfer_distance as chamfer_distance
from .geometry.distances import nearest as nearest
from .geometry.frames import Frame as Frame
from .geometry.frames import coarse_frame as coarse_frame
from .geometry.frames import fine_frame as fine_frame
from .geometry.meshes import Mesh as Mesh
from .geometry.meshes import load_mesh as load_mesh
from .geometry.meshes import load_points as load_points
from .geometry.meshes import save_glb as save_glb
from .geometry.meshes import save_mesh as save_mesh
from .geometry.meshes import save_points as save_points
from .geometry.metrics import ObjectReport as ObjectReport
from .geometry.metrics import SceneReport as SceneReport
from .geometry.metrics import box_iou as box_iou
from .geometry.metrics import evaluate_object as evaluate_object
from .geometry.metrics import evaluate_scene as evaluate_scene
from .geometry.metrics import fscore as fscore
from .geometry.metrics import voxel_iou as voxel_iou
from .geometry.surfaces import ColorReport as ColorReport
from .geometry.surfaces import SurfacePoints as SurfacePoints
from .geometry.surfaces import color_error as color_error
from .geometry.surfaces import nearest_surface as nearest_surface
from .geometry.voxels import depth_to_space as depth_to_space
from .geometry.voxels import mesh_from_logits as mesh_from_logits
from .geometry.voxels import space_to_depth as space_to_depth
from .geometry.voxels import voxelize as voxelize
from .geometry.voxels import voxelize_mesh as voxelize_mesh
from .network.conditions import Conditions as Conditions
from .network.control import ControlBranch as ControlBranch
from .network.control import DualBranchFlow as DualBranchFlow
from .network.encoders import DINOTokens as DINOTokens
from .network.encoders import ImageEncoder as ImageEncoder
from .network.encoders import SceneTokens as SceneTokens
from .network.encoders import load_dino as load_dino
from .network.encoders import load_moge as load_moge
from .network.model import FixerModel as FixerModel
from .network.model import ObjectImages as ObjectImages
from .network.texture import TextureAutoencoder as TextureAutoencoder
from .network.texture import TextureConditions as TextureConditions
from .network.texture import TextureFlow as TextureFlow
from .network.texture import Voxels as Voxels
from .network.texture import make_texture_velocity as make_texture_velocity
from .network.texturer import Texturer as Texturer
from .network.texturer import TextureTokens as TextureTokens
from .network.trunk import FlowTrunk as FlowTrunk
from .network.vae import SparseStructureVAE as SparseStructureVAE
from .network.vae import dice_loss as dice_loss
from .network.vae import vae_loss as vae_loss
from .scenes.boards import half_hidden as half_hidden
from .scenes.dataset import load_scene as load_scene
from .scenes.dataset import save_scene as save_scene
from .scenes.dataset import scene_folders as scene_folders
from .scenes.depth import align_scale as align_scale
from .scenes.depth import estimate_depth as estimate_depth
from .scenes.depth import mixed_depth as mixed_depth
from .scenes.depth_files import load_depth as load_depth
from .scenes.generation import SceneObject as SceneObject
from .scenes.generation import SyntheticScene as SyntheticScene
from .scenes.generation import generate_scene as generate_scene
from .scenes.images import load_masks as load_masks
from .scenes.images import load_rgb as load_rgb
from .scenes.images import load_rgbd as load_rgbd
from .scenes.rendering import Renderer as Renderer
from .scenes.rendering import View as View
from .training.building import build_voxels as build_voxels
from .training.building import encode_examples as encode_examples
from .training.building import measure_latents as measure_latents
from .training.building import occupancy_examples as occupancy_examples
from .training.clipping import AdaptiveGradClip as AdaptiveGradClip
from .training.ema import EMA as EMA
from .training.examples import FlowExamples as FlowExamples
from .training.examples import OccupancyExamples as OccupancyExamples
from .training.framing import draw_augmentation as draw_augmentation
from .training.framing import frame_example as frame_example
from .training.runs import load_networks as load_networks
from .training.runs import save_networks as save_networks
from .training.runs import train_stage as train_stage
from .training.stages import ControlLoss as ControlLoss
from .training.stages import PriorLoss as PriorLoss
from .training.stages import StageLoss as StageLoss
from .training.stages import TextureControlLoss as TextureControlLoss
from .training.stages import TextureTrunkLoss as TextureTrunkLoss
from .training.stages import VAELoss as VAELoss
from .training.stages import make_loss as make_loss
from .training.stages import phases as phases
from .training.surfaces import SurfaceVoxels as SurfaceVoxels
from .training.textures import TextureExamples as TextureExamples
from .training.textures import texture_examples as texture_examples
from .training.textures import train_autoencoder as train_autoencoder
from .training.trainer import Trainer as Trainer

__all__ = [
    "EMA",
    "AdaptiveGradClip",
    "AugmentConfig",
    "BoxFill",
    "ColorReport",
    "CompletedObject",
    "Conditions",
    "ControlBranch",
    "ControlLoss",
    "DINOTokens",
    "DualBranchFlow",
    "EncoderConfig",
    "Fixer",
    "FixerModel",
    "FlowConfig",
    "FlowExamples",
    "FlowTrunk",
    "Frame",
    "GenerateAndAlign",
    "ImageEncoder",
    "ImageFiles",
    "Intrinsics",
    "Mesh",
    "ModelConfig",
    "ObjectImages",
    "ObjectReport",
    "OccupancyExamples",
    "PoseHead",
    "PoseRegressor",
    "PriorLoss",
    "RectifiedFlow",
    "Renderer",
    "SamplerConfig",
    "ScaledICP",
    "Scene",
    "SceneConfig",
    "SceneObject",
    "SceneReport",
    "SceneTokens",
    "SingleStage",
    "SparseStructureVAE",
    "StageLoss",
    "SurfacePoints",
    "SurfaceVoxels",
    "SyntheticScene",
    "Target",
    "TextureAutoencoder",
    "TextureConditions",
    "TextureControlLoss",
    "TextureExamples",
    "TextureFlow",
    "TextureTokens",
    "TextureTrunkLoss",
    "Texturer",
    "TrainConfig",
    "Trainer",
    "TrellisModels",
    "VAEConfig",
    "VAELoss",
    "View",
    "VisibleOnly",
    "VoxelColors",
    "Voxels",
    "align_scale",
    "alignment_loss",
    "back_project",
    "box_iou",
    "build_voxels",
    "chamfer_distance",
    "coarse_frame",
    "color_error",
    "depth_to_space",
    "dice_loss",
    "draw_augmentation",
    "encode_examples",
    "estimate_depth",
    "evaluate_object",
    "evaluate_scene",
    "fine_frame",
    "frame_example",
    "fscore",
    "generate_scene",
    "half_hidden",
    "load",
    "load_depth",
    "load_dino",
    "load_masks",
    "load_mesh",
    "load_model",
    "load_moge",
    "load_networks",
    "load_points",
    "load_rgb",
    "load_rgbd",
    "load_scene",
    "load_trellis",
    "look_at",
    "make_loss",
    "make_texture_velocity",
    "make_velocity",
    "measure_latents",
    "mesh_from_logits",
    "mixed_depth",
    "model_from_trellis",
    "nearest",
    "nearest_surface",
    "occupancy_examples",
    "phases",
    "pose_examples",
    "project",
    "rays",
    "reference_hidden",
    "sample",
    "sample_colors",
    "sample_times",
    "save",
    "save_glb",
    "save_mesh",
    "save_networks",
    "save_objects",
    "save_points",
    "save_scene",
    "scene_folders",
    "space_to_depth",
    "texture_examples",
    "textured",
    "train_autoencoder",
    "train_pose_head",
    "train_stage",
    "vae_loss",
    "voxel_iou",
    "voxelize",
    "voxelize_mesh",
]
