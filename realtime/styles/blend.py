"""Mix styles by their weights: styles trained from one base lie near enough to be averaged.

Network interpolation (Wang et al. 2019, arXiv:1811.10515). The mean is made once, when the style is
loaded, so a blend runs as fast as a style.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..atomic import write_whole
from ..cache import cache_folder
from ..errors import StyleError
from .onnx_file import weights, with_metadata

if TYPE_CHECKING:
    from . import Style


def blend(shares: list[tuple[Style, float]]) -> Path:
    """Return a style file, in the cache, whose weights are the mean of others'.

    Raises StyleError when they are not of one architecture.
    """
    most = max(share for _, share in shares)
    if most <= 0:
        raise StyleError("the weights of the blend add up to zero", hint="for example a:0.6,b:0.4")
    foreign = next((style for style, _ in shares if not style.native), None)
    if foreign is not None:
        raise StyleError(
            f"{foreign.path} cannot be blended: it was not made by stylecam",
            hint="blend built-in styles, or those that stylecam train makes",
        )
    total = sum(share / most for _, share in shares)  # of shares themselves it may be infinite
    shares = [(style, share / most / total) for style, share in shares]
    first = shares[0][0]
    data = bytearray(first.path.read_bytes())
    places = weights(bytes(data))
    means = {name: np.zeros((place.end - place.start) // 4) for name, place in places.items()}
    for style, share in shares:
        other = style.path.read_bytes()
        theirs = weights(other)
        sizes = {name: place.end - place.start for name, place in theirs.items()}
        if sizes != {n: p.end - p.start for n, p in places.items()}:
            raise StyleError(
                f"{first.name} and {style.name} cannot be blended: their networks differ",
                hint="blend styles of one size, trained from one base by this version of stylecam",
            )
        for name, place in theirs.items():
            means[name] += share * np.frombuffer(other[place.start : place.end], "<f4")
    for name, place in places.items():
        data[place.start : place.end] = means[name].astype("<f4").tobytes()
    title = "+".join(f"{style.name}-{share:.2g}" for style, share in shares)
    card = {
        "name": title,
        "title": " and ".join(str(style.card.get("title", style.name)) for style, _ in shares),
        "artist": " and ".join(str(style.card.get("artist", "")) for style, _ in shares),
        "licence": " and ".join(sorted({str(s.card.get("licence", "")) for s, _ in shares})),
        "size": first.card.get("size"),
        "blend": {style.name: round(share, 4) for style, share in shares},
    }
    made = with_metadata(bytes(data), "stylecam", json.dumps(card, ensure_ascii=False))
    try:
        path = cache_folder("blends") / f"{title}-{hashlib.sha256(made).hexdigest()[:8]}.onnx"
        if not path.exists():
            write_whole(path, made)
    except OSError as error:
        raise StyleError(
            f"the blend {title} cannot be kept: {error}",
            hint="STYLECAM_CACHE names a folder that can be written to",
        ) from error
    return path
