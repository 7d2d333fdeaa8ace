"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report render reports/smoke      pages whose inputs have changed, or one run; --force: all
python -m fer_helpers.study.report collect reports/smoke     results.csv of the finished runs, into one
python -m fer_helpers.study.report all reports/smoke         both, and reports/smoke/index.html, in one process
python -m fer_helpers.study.report index --profiles cpu      reports/index.html, or another page with --out
python -m fer_helpers.study.report readme --profiles cpu     what was found, into README.md and reports/findings.svg
"""

import hashlib
import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import pandas as pd

from fer_helpers import paths, plots
from fer_helpers.study import templates
from fer_helpers.study.runs import COLUMNS, Record, read_profile, write_csv

EXECUTED = "executed.ipynb.gz"
FILES = ("results.csv", "predictions.csv.gz", "history.csv", "verdicts.csv", "run.json", EXECUTED)
# A change of these changes pages.
CODE = [*templates.FILES, Path(plots.__file__), Path(__file__), Path(__file__).with_name("cells.py")]
ROWS_SHOWN = 2_500  # of a run's results.csv in its page, which stays below 3 MB


def kind_of_data(run: Record, siblings: list[Record]) -> str:
    """What a run is about: `generated` faces, which say nothing about the papers, `real` photographs, or `unread`.

    A run that read no data itself (it stopped early, or compares the others) is judged by the runs of its profile.
    """
    data = run.about.get("data") or [entry for other in siblings for entry in other.about.get("data", [])]
    sources = {entry["source"] for entry in data}
    return "generated" if "generated faces" in sources else "real" if sources else "unread"


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
    siblings, pages = read_profile(folder.parent if one_run else folder), []
    for run in siblings:
        if (one_run and run.folder != folder) or not (run.folder / EXECUTED).exists():
            continue
        files = {name: paths.file_sha256(run.folder / name) for name in FILES if (run.folder / name).exists()}
        kind, page = kind_of_data(run, siblings), run.folder.with_name(f"{run.name}.html")
        made_of = "".join([kind, *files.values(), *map(paths.file_sha256, CODE)])
        inputs = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        if force or not page.exists() or f'content="{inputs}"' not in page.read_text("utf-8")[:2_000]:
            _write_page(run, page, kind=kind, inputs=inputs, files=files)
        else:
            os.utime(page)  # for who asks whether the page is newer than what it was made of
        pages.append(page)
    return pages


def _write_page(run: Record, page: Path, **content) -> None:
    from fer_helpers.study import cells  # loads nbconvert, seconds that a profile without a change is spared

    notebook, outline = cells.read(run.folder / EXECUTED), cells.Outline()
    raised = cells.first_error(notebook)
    failed = run.status == "failed" or bool(raised)
    templates.write(
        "run.html.j2",
        page,
        run=run,
        status="failed" if failed else run.status,
        error=run.about.get("error") or raised or "it stopped before its end and left no message",
        cells=cells.cells_of(cells.until_failure(notebook, failed), outline),
        outline=outline,
        deviations=cells.deviations(notebook),
        rows_shown=ROWS_SHOWN,
        again=(paths.notebooks_dir() / "profiles" / run.profile / f"{run.name.removesuffix('.failed')}.yaml").exists(),
        **content,
    )


def collect(profile_folder: Path) -> Path:
    """Concatenate the `results.csv` of a profile's finished runs into one, number by number as written, and say where.

    Raises:
        ValueError: a file has other columns than `runs.COLUMNS`.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    for run in (run for run in read_profile(profile_folder) if run.status == "finished"):
        parts.append(run.results.drop(columns="line"))
        if tuple(parts[-1].columns) != COLUMNS:
            has = f"{run.folder / 'results.csv'} has the columns {', '.join(parts[-1].columns)}"
            raise ValueError(f"{has}, not {', '.join(COLUMNS)}: run its notebook again")
    target = profile_folder / "results.csv"
    write_csv(pd.concat(parts, ignore_index=True), target)
    return target


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands and print the files that it wrote."""
    from fer_helpers.study import index

    parser = ArgumentParser("study.report", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("render", "collect", "all", "index", "readme"))
    parser.add_argument("folder", type=Path, nargs="?", help="reports/<profile>, or to render one run of it")
    parser.add_argument("--force", action="store_true", help="render also pages whose inputs are as they were")
    parser.add_argument("--profiles", nargs="+", help="names of folders in reports/, for the index; all by default")
    parser.add_argument("--out", type=Path, default=paths.reports_dir() / "index.html", help="where the index goes")
    chosen = parser.parse_args(arguments)
    command, folder, written = chosen.command, chosen.folder, []
    if (folder is None) != (command in ("index", "readme")):
        parser.error(f"{command} {'needs a folder, reports/<profile>' if folder is None else 'takes --profiles'}")
    profiles = chosen.profiles or sorted({file.parts[-3] for file in paths.reports_dir().glob("*/*/run.json")})
    if command in ("render", "all"):
        written += render(folder, chosen.force)
    if command in ("collect", "all"):
        written.append(collect(folder))
    if command == "all":
        written.append(index.write_index([folder.name], folder / "index.html", folder.parent))
    if command == "index":
        written.append(index.write_index(profiles, chosen.out))
    if command == "readme":
        written += index.write_readme(profiles)
    print(*written, sep="\n")


if __name__ == "__main__":
    main()
