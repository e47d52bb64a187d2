"""The checkpoints of a run: which there are, which is whole, which are kept."""

import shutil
from pathlib import Path

from snac_common.console import note
from snac_common.errors import Failure
from snac_common.files import TEMPORARY_SUFFIX
from snac_train.run.checkpoints.checkpoint import Checkpoint, damage, write_checkpoint


class Checkpoints:
    """The folder ``checkpoints/`` of a run; the ``keep`` newest stay, and kept ends of epochs."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, step: int, checkpoint: Checkpoint, epoch: int | None = None) -> Path:
        """Write the checkpoint of a step, then remove what is too old.

        Args:
            epoch: keep it for good, as the end of this epoch: a link has its number.
        """
        path = self.folder / _name(step)
        write_checkpoint(path, checkpoint)
        if epoch is not None:
            link = self.folder / f"epoch-{epoch:03}"
            link.unlink(missing_ok=True)
            link.symlink_to(path.name)
        kept = {link.readlink().name for link in self._links()}
        for old in self.newest_first()[self.keep :]:
            if old.name not in kept:
                shutil.rmtree(old, ignore_errors=True)
        return path

    def _links(self) -> list[Path]:
        return [path for path in self.folder.glob("epoch-*") if path.is_symlink()]

    def newest_first(self) -> list[Path]:
        """Return the checkpoints, whole or not; half-written ones are none."""
        paths = self.folder.glob("step-*")
        return sorted((path for path in paths if path.suffix != TEMPORARY_SUFFIX), reverse=True)

    def set_aside(self, after_step: int) -> None:
        """Rename what lies after the step that a run goes on from, damaged or of another course."""
        for path in self.newest_first():
            if path.name > _name(after_step):
                aside = path.with_name(f"aside-{path.name}")
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
                note(f"{path} lies after step {after_step}; it is {aside.name} now")
        for link in self._links():
            if not link.exists():
                link.unlink()

    def newest_whole(self) -> Path | None:
        """Return the newest checkpoint that is whole, naming the damaged ones that it passes over.

        Returns:
            None if there has never been one.

        Raises:
            Failure: if there are checkpoints, but every one is damaged.
        """
        paths = self.newest_first()
        for path in paths:
            problem = damage(path)
            if problem is None:
                return path
            note(f"{path} is damaged ({problem}); looking at the one before it")
        if paths:
            raise Failure(f"every checkpoint in {self.folder} is damaged: start anew with --run")
        return None


def _name(step: int) -> str:
    return f"step-{step:08d}"
