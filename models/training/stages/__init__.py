"""The stages of training (paper, section 4), found by name in `STAGES`, in the order in which the paper has them."""

from models.training.stages.interaction import InteractionStage
from models.training.stages.joint import JointStage
from models.training.stages.memory import MemoryStage
from models.training.stages.reinforce import ReinforceStage
from models.training.stages.stage import TrainingStage
from models.training.stages.supervised import SupervisedStage

STAGES: dict[str, type[TrainingStage]] = {
    stage.name: stage for stage in (JointStage, InteractionStage, MemoryStage, SupervisedStage, ReinforceStage)
}

__all__ = ["STAGES", "TrainingStage"]
