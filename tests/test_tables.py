"""The README and benchmarks/README.md say what the rows say, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest
from stylecam.benchmarks import pages, peer_table, quality_table, report, rows, tables
from stylecam.benchmarks.benchmark import Row
from stylecam.benchmarks.cards import network_sha256
from stylecam.benchmarks.command import main
from stylecam.benchmarks.gallery import DOCS, about
from stylecam.realtime.errors import StylecamError
from stylecam.realtime.styles import Style, built_in, find
from stylecam.training.recipe import read_recipe

SHORT, END_OF_SHORT = tables.IN_SHORT
PLACES = f"# x\n{SHORT}\nold\n{END_OF_SHORT}\n{tables.BEGIN}\nold\n{tables.END}\nrest\n"

HERE = {"cpu": "Ours", "cores": 2, "cpu_features": ["avx2"], "commit": "abc", "date": "2026-01-02"}
NEW = HERE | {"cpu": "A third", "date": "2026-01-03"}
OLD = HERE | {"cpu": "Another", "date": "2026-01-01"}
SPREAD = {"p50": 5.4, "p95": 6.0, "p99": 7.6}


def engine(width: int, height: int, fps: float) -> Row:
    return {
        **{"engine": "openvino", "description": "OpenVINO f32 on Ours", "precision": "default"},
        **{"width": width, "height": height, "fps": fps, "ms_per_picture": 1000 / fps},
        **{"latency_ms": SPREAD, "n": 70, "style": "great-wave"},
    }


def network(runtime: str, ms: float) -> Row:
    return {
        **{"case": "network alone", "peer": "Large", "runtime": runtime, "width": 640},
        **{"height": 360, "peer_ms": ms, "our_ms": 20.0, "ratio": ms / 20, "parameters": 9000},
        **{
            "our_parameters": 5000,
            "peer_gmac": 35.0,
            "our_gmac": 1.0,
            "setting": "two streams, f32",
        },
        **{"peer_gmac_per_s": 70.0, "our_gmac_per_s": 90.0, "our_f32_gmac_per_s": 50.0},
        **{"our_engine": "OpenVINO int8 on Ours", "our_f32_ms": 40.0, "ratio_f32": ms / 40},
        **{"ratio_range": [ms / 25, ms / 15], "n": 8},
    }


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Rows of two machines, the second newer."""
    folder = tmp_path / "rows"
    photo = network("", 300.0) | {"case": "whole command, one photo", "frames": 1, "ratio": 0.5}
    clock = {"case": "latency at 30 fps", "width": 640, "height": 360, "latency_ms": SPREAD}
    sizes = [(256, 144), (640, 360), (1280, 720)]
    for machine, by in ((OLD, 0.5), (HERE, 1.0)):
        stamped = [engine(*size, by * 4e7 / (size[0] * size[1])) | machine for size in sizes]
        rows.append("engine", stamped, folder=folder)
    peers = [network("torch", 900.0), network("OpenVINO", 600.0), photo]
    command = {"case": "whole command, same codec", "peer": "Large", "width": 640, "height": 360}
    command |= {"frames": 109, "peer_ms": 153.0, "our_ms": 25.0, "ratio": 6.12}
    in_f32 = {"case": f"{command['case']}, ours in f32", "our_ms": 50.0, "ratio": 3.0}
    peers += [command, command | in_f32 | {"ratio_range": [2.0, 4.0]}]
    peers += [command | {"width": 1280, "height": 720}]
    rows.append("peers", [row | HERE for row in peers], folder=folder)
    drawn = clock | {"histogram": [[5.0, 40], [5.5, 20], [7.5, 1]], "dropped": 0} | HERE
    rows.append("latency", [drawn], folder=folder)
    return folder


def test_the_readme_and_the_page_hold_the_rows() -> None:
    text = tables.README.read_text(encoding="utf-8")
    shown = text.split(tables.BEGIN)[1].split(tables.END)[0].strip()
    assert shown == report.figures()
    assert text.split(SHORT)[1].split(END_OF_SHORT)[0].strip() == report.in_short()
    page = tables.README.parent / "benchmarks" / "README.md"
    assert page.read_text(encoding="utf-8") == pages.text()


def test_the_readme_selects(kept: Path) -> None:
    shown = report.figures(kept)
    assert "| network alone, OpenVINO f32, 640×360 | 174 fps | 5 / 8 ms |" in shown
    assert "87 fps" not in shown  # the older machine's
    assert "256×144" not in shown
    line = "| 600 ms, f32 | 40.0 ms, f32 | 15.0 times | 20.0 ms, int8 | 30.0 times (24.0–40.0) |"
    assert f"| Large, network alone, OpenVINO {line}" in shown
    line = "| 153 ms | 50.0 ms | 3.0 times (2.0–4.0) | 25.0 ms | 6.1 times |"
    assert f"| Large, whole command, same codec {line}" in shown
    assert "1280" not in shown.split("compared with")[1]
    assert "random weights" in shown
    assert "torch" not in shown  # the slower runtime
    # A photo is not in f32 where the processor has bf16: no claim of their precision.
    assert "| 300 ms |  |  | 20.0 ms | no: theirs by 2.00 times (12.0–20.0) |" in shown
    assert shown.endswith("2 cores of Ours (avx2), 2026-01-02.")


def test_the_readme_begins_with_the_speed(kept: Path) -> None:
    assert report.in_short(kept) == ""
    live = {"case": "live at 30 fps", "fps": 29.9, "width": 640, "height": 360}
    found = [live, live | {"width": 1280, "height": 720, "fps": 20.6}, live | {"height": 100}]
    rows.append("pipeline", [row | HERE for row in found], folder=kept)
    rows.append("pipeline", [live | {"fps": 12.0} | OLD], folder=kept)
    assert report.in_short(kept).splitlines()[2:] == [
        "- on 2 cores of Ours (avx2), 2026-01-02: live 30 fps at 640×360 and 21 fps at 1280×720",
        "- on 2 cores of Another (avx2), 2026-01-01: live 12 fps at 640×360",
    ]


@pytest.mark.parametrize("name", ["graphs", "floor", "latency", "peers", "quality", "kernels"])
def test_a_benchmark_alone_on_another_machine_leaves_the_readme(kept: Path, name: str) -> None:
    """Where the speed was not measured there is none to show."""
    before = report.figures(kept)
    row = {"network": "x", "case": "x", "peer": "x", "style": "x", "statistics": "smoothed"}
    rows.append(name, [row | NEW], folder=kept)
    assert report.figures(kept) == before


def test_the_page_shows_plots_of_a_machine_that_has_some(kept: Path, tmp_path: Path) -> None:
    row = {"operation": "x", "device": "A card"}
    rows.append("kernels", [row | NEW], folder=kept)
    page, *plots = pages.write_page(tmp_path, of=kept)
    assert [path.name for path in plots] == ["speed.png", "latency.png", "peers.png"]
    text = page.read_text(encoding="utf-8")
    assert text.index("## 2 cores of A third") < text.index("## 2 cores of Ours")
    assert all(f"figures/{path.name}" in text for path in plots)


def test_peers_are_compared_in_their_precision() -> None:
    """Older rows have ours in f32 alone, which says nothing of a peer in bf16."""
    old = network("OpenVINO", 600.0) | {"setting": "two streams, bf16"}
    assert peer_table.in_same_precision(old) is None
    assert "| 600 ms, bf16 |  |  | 20.0 ms, int8 |" in "\n".join(peer_table.table([old]))
    (line,) = [line for line in pages._where_peers_win([old]) if "processor" in line]
    assert "may make better use of the processor: 70.0 billion" in line
    assert "in bf16 to our 50.0 in f32" in line
    same = {"our_same_precision_ms": 12.0, "ratio_same_precision": 50.0}
    new = {key: value for key, value in old.items() if "f32" not in key} | same
    new["our_same_precision_gmac_per_s"] = 83.0
    assert "| 600 ms, bf16 | 12.0 ms, bf16 | 50.0 times |" in "\n".join(peer_table.table([new]))
    assert not any("processor" in line for line in pages._where_peers_win([new]))
    (line,) = [
        line
        for line in pages._where_peers_win([new | {"peer_gmac_per_s": 99.0}])
        if "processor" in line
    ]
    assert "makes better use of the processor: 99.0 billion" in line
    assert "in bf16 to our 83.0 in bf16" in line


def test_a_compiled_peer_is_named_so() -> None:
    best = network("torch", 500.0) | {"setting": "compiled, contiguous, bf16"}
    lines = "\n".join(peer_table.table([network("OpenVINO", 600.0), best]))
    assert "| Large, network alone, torch compiled | 500 ms, bf16 |" in lines
    assert "OpenVINO" not in lines


def test_the_page_has_all(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(PLACES)
    written = tables.renew_all(folder=kept, root=tmp_path)
    names = ["README.md", "README.md", "speed.png", "latency.png", "peers.png"]
    assert [path.name for path in written] == names
    readme, page = (path.read_text(encoding="utf-8") for path in written[:2])
    assert "old" not in readme
    assert readme.endswith("rest\n")
    assert page.index("## 2 cores of Ours") < page.index("## 2 cores of Another")
    assert page.count("| OpenVINO f32 on Ours |") == 6
    assert "torch" in page
    assert "one photo: Large is faster, 300.0 ms to our 20.0" in page
    assert "70.0 billion multiply-adds a second in f32 to our 50.0 in f32" in page
    assert "| 600 | 20 | 30 | 24–40 | 40 | 15 | 8 |" in page
    assert "GPU" not in page
    for path in written[2:]:
        assert f"figures/{path.name}" in page
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape[1] == 1200
        assert picture.std() > 10  # something is drawn


def test_a_gpu_has_its_section_once_it_has_rows(kept: Path) -> None:
    on_gpu = HERE | {"device": "A card", "part": "engines", "network": "stylecam small"}
    on_gpu |= {"variant": "TensorRT", "height": 1080, "width": 1920, "fps": 900.0}
    rows.append("gpu", [on_gpu, on_gpu | {"fps": 1200.0}], folder=kept)
    assert "\nOn 2 cores of Ours (avx2) with A card:\n" in report.figures(kept)
    assert "- small network on the device, TensorRT: 1200 fps of 1,000" in report.figures(kept)
    page = pages.text(of=kept)
    assert "## GPU: 2 cores of Ours (avx2) with A card" in page
    assert page.count("| stylecam small |") == 1


def test_quality_has_its_commit_and_date_on_the_page(kept: Path) -> None:
    figures = {"coverage": 0.8, "mean_shimmer": 5.0, "border": 1.4, "border_error": 0.7}
    measured = [quality_row(name) | figures for name in ("great-wave", "comic", "x")]
    measured[0]["texture"] = 0.4
    rows.append("quality", measured, folder=kept)
    page = pages.text(of=kept)
    assert "| coverage | texture | st-LPIPS | shimmer | contrast |" in page
    assert "| great-wave | 0.80 | 0.40 |  | 5.00 |  |  |  |  | 1.40 | 0.70 | abc |" in page
    assert "| x | 0.80 |  |  | 5.00 |  |  |  |  | 1.40 | 0.70 | abc | 2026-01-02 |" in page
    # A mean of some would pass for one of all: older rows have no texture.
    assert "| mean of our 2 | 0.80 |  |  | 5.00 |  |  |  |  | 1.40 | 0.70 |  |  |" in page
    assert "Measured in f32" in page
    mean = "| mean of our 2 | 0.80 |  |  | 5.00 |  |  |  |  | 1.40 | 0.70 |\n"
    assert mean in f"{report.figures(kept)}\n"


def quality_row(name: str) -> Row:
    """A row of a built-in style's file, or of another."""
    names = {style.name for style in built_in()}
    sha256 = network_sha256(find(name).path) if name in names else "0"
    return {"style": name, "statistics": "smoothed", "network_sha256": sha256} | HERE


@pytest.mark.parametrize(
    "other", [{"network_sha256": "0"}, {"painting": "other.jpg"}, {"long_side": 300}]
)
def test_a_row_of_another_file_replaces_no_style(tmp_path: Path, other: Row) -> None:
    """As one retrained from the recipe, which has the card and so the name of the shipped one."""
    own = quality_row("great-wave") | {"coverage": 0.8}
    rows.append("quality", [own, own | {"coverage": 0.1} | other], folder=tmp_path)
    assert quality_table.rows_of(tmp_path) == ([own], [])


def test_older_rows_are_those_of_the_cards(tmp_path: Path) -> None:
    figures = find("great-wave").card["quality"]
    own = {"style": "great-wave"} | figures | HERE
    rows.append("quality", [own, own | {"mean_shimmer": 13.9}], folder=tmp_path)
    assert quality_table.rows_of(tmp_path) == ([own], [])


@pytest.mark.parametrize("style", built_in(), ids=lambda style: style.name)
def test_a_style_its_card_and_its_newest_row_agree(style: Style) -> None:
    (row,) = [row for row in quality_table.rows_of(rows.RESULTS)[0] if row["style"] == style.name]
    card = style.card
    assert {key: row.get(key) for key in card["quality"]} == card["quality"]
    assert about(style) in (DOCS / "styles.md").read_text(encoding="utf-8").splitlines()
    recipe = read_recipe(DOCS.parent / "training" / "recipes" / card["recipe"])
    assert (card["title"], card["artist"]) == (recipe.title, recipe.artist)


def test_nothing_is_written_without_matplotlib(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text(PLACES)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="matplotlib"):
        tables.renew_all(folder=kept, root=tmp_path)
    assert (tmp_path / "README.md").read_text() == PLACES
    assert not (tmp_path / "benchmarks").exists()


def test_tables_without_rows_or_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.figures(tmp_path / "none") == ""
    for text in ("# no marks\n", PLACES.replace(SHORT, ""), PLACES.replace(tables.END, "")):
        (tmp_path / "README.md").write_text(text)
        with pytest.raises(StylecamError, match="no place"):
            tables.renew_all(folder=tmp_path, root=tmp_path)
    (tmp_path / "README.md").write_text(PLACES)
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(StylecamError, match="holds no rows"):
            tables.renew_all(folder=folder, root=tmp_path)
    assert (tmp_path / "README.md").read_text() == PLACES
    with pytest.raises(SystemExit):
        main(["tables", "--unknown"])
    assert "unrecognized" in capsys.readouterr().err
