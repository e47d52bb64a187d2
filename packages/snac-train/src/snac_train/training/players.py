"""The players of a stage: the decoder, and in the adversarial one its discriminators."""

from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.heads import head_start
from snac_train.recipe.imitation import imitates
from snac_train.recipe.tables import Recipe
from snac_train.training.optimization import make_optimizer, make_schedule
from snac_train.training.player import DECODER, DISCRIMINATORS, Moves, Player
from snac_train.training.trained import Trained


def make_players(
    trained: Trained, stage: StageName, steps: int, recipe: Recipe, processes: Processes
) -> dict[str, Player]:
    """Return the players of a stage of ``steps`` steps, by name, in the order of their turns."""
    settings, adversarial = recipe.optimizer, recipe.adversarial
    first = head_start(recipe) if trained.judging else 0
    moves = Moves(first)
    course: StageName = "main" if imitates(recipe, stage) else stage  # which is no constant one
    optimizer = make_optimizer(trained.groups, trained.peaks, settings)
    decoder = Player(
        DECODER,
        trained.objective,
        trained.parameters,
        optimizer,
        make_schedule(course, optimizer, moves.until(steps), recipe.schedule),
        processes=processes,
        clip=settings.clip,
        moves=moves,
    )
    if trained.judging is None:
        return {DECODER: decoder}
    weights = list(trained.judging.parameters())
    moves = Moves(first, moves_first=True, every=adversarial.every)
    rates = {DISCRIMINATORS: adversarial.lr}
    optimizer = make_optimizer({DISCRIMINATORS: weights}, rates, settings)
    discriminators = Player(
        DISCRIMINATORS,
        trained.judging,
        weights,
        optimizer,
        make_schedule(stage, optimizer, moves.until(steps), recipe.schedule),
        processes=processes,
        clip=adversarial.clip,
        moves=moves,
    )
    return {DECODER: decoder, DISCRIMINATORS: discriminators}
