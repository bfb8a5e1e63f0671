from guided_sr._version import __version__ as __version__
from guided_sr.datasets.phantom import head_phantom as head_phantom
from guided_sr.errors import GuidedSRError as GuidedSRError
from guided_sr.inference.result import Result as Result
from guided_sr.layers.grd_block import GRDBlock as GRDBlock
from guided_sr.layers.guidance_branch import GuidanceBranch as GuidanceBranch
from guided_sr.metrics import psnr as psnr
from guided_sr.metrics import ssim as ssim
from guided_sr.model import GuidedSRModel as GuidedSRModel
from guided_sr.networks.grdn import GRDN as GRDN
from guided_sr.networks.registry import register_backbone as register_backbone
from guided_sr.physics.back_projection import back_project as back_project
from guided_sr.physics.cascade_plan import CascadePlan as CascadePlan
from guided_sr.physics.degrade import degrade as degrade
from guided_sr.physics.degrade import upsample as upsample
from guided_sr.physics.slice_profile import SliceProfile as SliceProfile
from guided_sr.report.html import write_report as write_report
from guided_sr.training.callbacks import DegradationCallback as DegradationCallback
from guided_sr.training.callbacks import IBPCallback as IBPCallback
from guided_sr.training.schedule import PlateauSchedule as PlateauSchedule
from guided_sr.training.slice_images import SliceImages as SliceImages

__all__ = [
    "GRDN",
    "CascadePlan",
    "DegradationCallback",
    "GRDBlock",
    "GuidanceBranch",
    "GuidedSRError",
    "GuidedSRModel",
    "IBPCallback",
    "PlateauSchedule",
    "Result",
    "SliceImages",
    "SliceProfile",
    "__version__",
    "back_project",
    "degrade",
    "head_phantom",
    "psnr",
    "register_backbone",
    "ssim",
    "upsample",
    "write_report",
]
