"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report render reports/smoke      pages whose inputs have changed, or one run; --force: all
python -m fer_helpers.study.report collect reports/smoke     results.csv of the finished runs, into one
python -m fer_helpers.study.report all reports/smoke         both, and reports/smoke/index.html, in one process
python -m fer_helpers.study.report index --profiles cpu      reports/index.html, or another page with --out
python -m fer_helpers.study.report readme --profiles cpu     what was found, into README.md and reports/findings.svg
"""

import argparse
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from fer_helpers import paths, plots
from fer_helpers.study import templates
from fer_helpers.study.runs import COLUMNS, Record, read_profile, write_csv

EXECUTED = "executed.ipynb.gz"
FILES = ("results.csv", "predictions.csv.gz", "history.csv", "verdicts.csv", "run.json", EXECUTED)
CODE = [Path(__file__), Path(__file__).with_name("cells.py")]  # a change of which changes pages
ROWS_SHOWN = 2_500  # of a run's results.csv in its page, which stays below 3 MB
STREAM_LINES = 12  # longer output on stdout is folded


def page_of(run: Record) -> Path:
    """Where the run's page is, whether or not it has been rendered."""
    return run.folder.with_name(f"{run.name}.html")


def files_of(run: Record) -> list[str]:
    """Which of `FILES` the run has."""
    return [name for name in FILES if (run.folder / name).exists()]


def sources_of(run: Record) -> set[str]:
    """`generated faces`, `real photographs`, both, or nothing where no data was read."""
    return {entry["source"] for entry in run.about.get("data", [])}


def kind_of_data(run: Record, siblings: list[Record]) -> str:
    """What a run is about: `generated` faces, which say nothing about the papers, `real` photographs, or `unread`.

    A run that read no data itself (it stopped early, or compares the others) is judged by the runs of its profile.
    """
    sources = sources_of(run) or set().union(*map(sources_of, siblings))
    return "generated" if "generated faces" in sources else "real" if sources else "unread"


def facts(run: Record) -> dict[str, str]:
    """`paper`, `init`, `seeds`, `date` and `minutes` of a run in words; empty where they are unknown."""
    parameters = run.about.get("parameters", {})

    def listed(*names: str) -> str:
        value = next((parameters[name] for name in names if name in parameters), "")
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    started = run.about.get("started")
    return {
        "paper": run.about.get("paper", "").replace("_", " ").title(),
        "init": run.about.get("init") or listed("init", "inits", "weights"),
        "seeds": listed("seeds", "seed"),
        "date": f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if started else "",
        "minutes": f"{run.about['seconds'] / 60:.1f}" if "seconds" in run.about else "",
    }


def render(folder: Path, force: bool = False) -> list[Path]:
    """Write the pages of a profile, or of one run, beside their folders; those whose inputs are as they were, stay.

    Args:
        folder: `reports/<profile>` or `reports/<profile>/<run>`; a run has `run.json` and `executed.ipynb.gz`.
        force: write every page.

    Raises:
        FileNotFoundError: the run that was named lacks one of the two.
    """
    one_run = (folder / "run.json").exists() or (folder / EXECUTED).exists() or not any(folder.glob("*/run.json"))
    for needed in ("run.json", EXECUTED) if one_run else ():
        if not (folder / needed).exists():
            raise FileNotFoundError(f"no {needed} in {folder}: run its notebook first, as in `make study`")
    for page in () if one_run else folder.glob("*.failed.html"):  # of failures that a later run has put right
        if not page.with_suffix("").exists():
            page.unlink()
    siblings = read_profile(folder.parent if one_run else folder)
    chosen = [run for run in siblings if (run.folder / EXECUTED).exists() and (not one_run or run.folder == folder)]
    for run in chosen:
        kind = kind_of_data(run, siblings)
        inputs = _inputs(run, kind)
        if force or not page_of(run).exists() or f'content="{inputs}"' not in page_of(run).read_text("utf-8")[:2_000]:
            _write_page(run, kind, inputs)
        else:
            os.utime(page_of(run))  # for who asks whether the page is newer than what it was made of
    return [page_of(run) for run in chosen]


def _inputs(run: Record, kind: str) -> str:
    """A hash of everything that a page is made of."""
    files = [*(run.folder / name for name in files_of(run)), *templates.FILES, Path(plots.__file__), *CODE]
    return hashlib.sha256("".join([kind, *map(paths.file_sha256, files)]).encode()).hexdigest()[:16]


def _write_page(run: Record, kind: str, inputs: str) -> None:
    from fer_helpers.study import cells  # loads nbconvert, seconds that a profile without a change is spared

    notebook = cells.read(run.folder / EXECUTED)
    raised = cells.first_error(notebook)
    failed = run.status == "failed" or bool(raised)
    outline = cells.Outline()
    shown = cells.cells_of(cells.until_failure(notebook, failed), outline)
    templates.write(
        "run.html.j2",
        page_of(run),
        inputs=inputs,
        run=run,
        place=quote(run.name),
        about=run.about,
        facts=facts(run),
        files={name: paths.file_sha256(run.folder / name) for name in files_of(run)},
        sources=sorted(sources_of(run)),
        rows=run.results if run.status == "finished" else run.results.head(0),
        status="failed" if failed else run.status,
        error=run.about.get("error") or raised or "it stopped before its end and left no message",
        kind=kind,
        index="index.html" if kind == "generated" else "../index.html",
        title=outline.title or run.name,
        contents=outline.contents,
        cells=shown,
        deviations=cells.deviations(notebook),
        stream_lines=STREAM_LINES,
        rows_shown=ROWS_SHOWN,
        again=(paths.notebooks_dir() / "profiles" / run.profile / f"{run.name.removesuffix('.failed')}.yaml").exists(),
    )


def collect(profile_folder: Path) -> Path:
    """Concatenate the `results.csv` of a profile's finished runs into one, number by number as written, and say where.

    Raises:
        ValueError: a file has other columns than `runs.COLUMNS`.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    for run in (run for run in read_profile(profile_folder) if run.status == "finished"):
        rows = run.results.drop(columns="line")
        if tuple(rows.columns) != COLUMNS:
            raise ValueError(
                f"{run.folder / 'results.csv'} has the columns {', '.join(rows.columns)}, not {', '.join(COLUMNS)}: "
                "run its notebook again"
            )
        parts.append(rows)
    target = profile_folder / "results.csv"
    write_csv(pd.concat(parts, ignore_index=True), target)
    return target


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands and print the files that it wrote."""
    from fer_helpers.study import index

    parser = argparse.ArgumentParser(prog="python -m fer_helpers.study.report", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("render", "write the pages of a profile, or of one run"),
        ("collect", "write the results of a profile's finished runs into one results.csv"),
        ("all", "render, collect, and write the profile's own index"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument(
            "folder", type=Path, help="reports/<profile>, or to render one run reports/<profile>/<run>"
        )
        command.add_argument("--force", action="store_true", help="render also pages whose inputs are as they were")
    for name, about in (
        ("index", "write an index of the runs of some profiles"),
        ("readme", "write what was found into README.md and reports/findings.svg"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("--profiles", nargs="+", help="names of folders in reports/; all by default")
        command.add_argument(
            "--out", type=Path, default=paths.reports_dir() / "index.html", help="where the index goes"
        )
    chosen = parser.parse_args(arguments)
    written, all_profiles = [], sorted({file.parts[-3] for file in paths.reports_dir().glob("*/*/run.json")})
    if chosen.command in ("render", "all"):
        written += render(chosen.folder, chosen.force)
    if chosen.command in ("collect", "all"):
        written.append(collect(chosen.folder))
    if chosen.command == "all":
        written.append(index.write_index([chosen.folder.name], chosen.folder / "index.html", chosen.folder.parent))
    if chosen.command == "index":
        written.append(index.write_index(chosen.profiles or all_profiles, chosen.out))
    if chosen.command == "readme":
        written += index.write_readme(chosen.profiles or all_profiles)
    print(*written, sep="\n")


if __name__ == "__main__":
    main()
