"""Compiles every kernel for a GPU that need not be there, and prints what came out as JSON lines.

A process of its own, because Triton's interpreter, in which the tests run, cannot be switched off.
"""

from __future__ import annotations

import collections
import json
import re
from typing import Any

import triton
from stylecam.kernels import rgb_to_yuv420, temporal_blend, yuv420_to_rgb
from stylecam.kernels.layout import Layout
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

ARCHITECTURES = (90,)


def main() -> None:
    """Compile all for a 1080p picture in float16."""
    for architecture in ARCHITECTURES:
        pointers = dict.fromkeys(("photo", "before", "out"), "*fp16")
        constants = temporal_blend.constants() | dict.fromkeys(
            ("photo_column", "before_column", "out_column"), 1
        )
        _compile(temporal_blend, "", architecture, pointers, constants)
        for kind in ("i420", "p010"):
            layout = Layout(1080, 1920, kind)
            samples = "*u8" if layout.bits == 8 else "*i16"
            ones = {"column_stride": 1} | ({} if kind == "i420" else {"v_behind_u": 1})
            constants = yuv420_to_rgb.constants(layout) | ones
            pointers = {"frame": samples, "out": "*fp16"}
            _compile(yuv420_to_rgb, kind, architecture, pointers, constants)
            constants = rgb_to_yuv420.constants(layout, mixed=True, dither=False) | ones
            pointers = {"rgb": "*fp16", "out": samples, "original": samples, "strength": "*fp32"}
            _compile(rgb_to_yuv420, kind, architecture, pointers, constants)


def _compile(
    module: Any, kind: str, architecture: int, pointers: dict[str, str], constants: dict[str, Any]
) -> None:
    kernel = module._kernel
    types = {
        name: "constexpr" if name in constants else pointers.get(name, "i32")
        for name in kernel.arg_names
    }
    # Everything but the height is divisible by 16, as at the usual sizes.
    aligned = {
        (index,): [["tt.divisibility", 16]]
        for index, (name, type_) in enumerate(types.items())
        if type_ != "constexpr" and name != "height"
    }
    source = ASTSource(kernel, types, constexprs=constants, attrs=aligned)
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32))
    ptx = compiled.asm["ptx"]
    row = {
        "name": f"{module.__name__.rsplit('.', 1)[-1]} {kind} sm_{architecture}",
        "float64": len(re.findall(r"\.f64", ptx)),
        "spilled": len(re.findall(r"\.local", ptx)),
        "stores": collections.Counter(re.findall(r"st\.global[\w.]*", ptx)),
        "cubin_bytes": len(compiled.asm["cubin"]),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
