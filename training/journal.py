"""What a run writes for people to look at: rows of figures, previews, TensorBoard's events."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from stylecam.realtime.atomic import write_whole
from torch import Tensor

from . import ranks
from .data import Pairs
from .errors import TrainingError
from .network import MULTIPLE, Generator
from .pictures import LOG, middle
from .trainer import Trainer

HEIGHT_PX: Final = 256
WIDEST: Final = 2.0


class Journal:
    """Written by one process only, from the first step on; `facts` are those of this start."""

    def __init__(self, run: Path, trainer: Trainer, pairs: Pairs, *, facts: dict[str, Any]) -> None:
        self._run, self._trainer, self._pairs = run, trainer, pairs
        self._facts, self._first = facts, trainer.step
        self._recent: list[dict[str, float]] = []
        self._board: Any = None
        self._shown: list[Tensor] = []

    def begin(self) -> None:
        """Write what is trained."""
        if ranks.rank() == 0:
            self._forget()
            self._board = _tensorboard(self._run, self._first)
            _write(self._run / "config.json", dataclasses.asdict(self._trainer.recipe))
            path = self._run / "run.json"
            starts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
            _write(path, [*starts, self._facts])

    def _forget(self) -> None:
        """Drop the rows of steps that a killed run had taken since its last checkpoint: they come
        again. Its last row may be cut short.
        """
        path = self._run / "stats.jsonl"
        if path.exists():
            rows = path.read_text(encoding="utf-8").splitlines()
            kept = [row for row in rows if row.endswith("}") and self._had(json.loads(row))]
            write_whole(path, "".join(f"{row}\n" for row in kept).encode())

    def _had(self, row: dict[str, Any]) -> bool:
        return bool(row["step"] <= self._first)

    def add(self, figures: dict[str, float]) -> None:
        """Take the figures of a step."""
        self._recent.append(figures)

    def means(self) -> dict[str, float]:
        """Return the mean figures since the last row, or those of that row; the trainer keeps
        them, for a run that is resumed.
        """
        if self._recent:
            self._trainer.figures = {
                key: float(np.mean([row[key] for row in self._recent if key in row]))
                for key in self._recent[-1]
            }
        return dict(self._trainer.figures)

    def row(self) -> None:
        """Write them down, if there are any, and begin anew."""
        if not self._recent:
            return
        means, step = self.means(), self._trainer.step
        self._recent = []
        if ranks.rank() == 0:
            row = {
                "step": step,
                "seconds": round(self._trainer.seconds, 2),
                "learning_rate": self._trainer.optimizer.param_groups[0]["lr"],
            }
            try:
                with (self._run / "stats.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row | means) + "\n")
            except OSError as error:
                LOG.warning("no row of step %d: %s", step, error.strerror)
        if self._board is not None:
            for key, value in means.items():
                self._board.add_scalar(key, value, step)

    def close(self) -> None:
        """Let go of the files."""
        if self._board is not None:
            self._board.close()

    def picture(self, generator: Generator) -> None:
        """Write the preview of a generator; where that fails the run goes on without."""
        if ranks.rank() != 0:
            return
        try:
            self._shown = self._shown or self._pairs.scenes.samples()
            sheet = preview(generator, self._trainer.paintings[0], self._shown)
            # Not cv2.imwrite: it cannot open names outside ASCII on Windows.
            (self._run / "preview.jpg").write_bytes(cv2.imencode(".jpg", sheet)[1].tobytes())
        except (TrainingError, ValueError, OSError, RuntimeError, cv2.error) as error:
            LOG.warning("no preview: %s", error)
            return
        if self._board is not None:
            self._board.add_image(
                "preview", sheet[..., ::-1].copy(), self._trainer.step, dataformats="HWC"
            )


def _write(path: Path, values: Any) -> None:
    write_whole(path, json.dumps(values, indent=1, ensure_ascii=False).encode())


def _tensorboard(run: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run), purge_step=step + 1)


@torch.no_grad()
def preview(
    generator: Generator, painting: Tensor, photos: list[Tensor]
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a contact sheet, uint8 BGR: the painting, then photos (3, H, W) over theirs."""
    device = next(generator.parameters()).device
    columns = [_high(painting, 2 * HEIGHT_PX)]
    for photo in photos:
        view = _high(photo, HEIGHT_PX)
        painted = generator(view[None].to(device))[0].cpu()
        columns.append(torch.cat([view, painted], dim=1))
    sheet = torch.cat(columns, dim=2).permute(1, 2, 0).numpy()
    return np.ascontiguousarray((sheet[..., ::-1] * 255).round()).astype(np.uint8)


def _high(x_CHW: Tensor, height: int) -> Tensor:
    """Scale the middle of a picture to `height`, as wide as suits the network."""
    x_CHW = x_CHW[:, *middle(*x_CHW.shape[1:], at_most=WIDEST)]
    width = round(x_CHW.shape[2] * height / x_CHW.shape[1] / MULTIPLE) * MULTIPLE
    scaled = F.interpolate(x_CHW[None], size=(height, width), mode="bilinear", antialias=True)
    return scaled[0].clamp(0, 1)
