"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report all reports/smoke      its pages whose inputs have changed, results.csv, index.html
python -m fer_helpers.study.report index --profiles cpu   reports/index.html, or another page with --out
python -m fer_helpers.study.report readme --profiles cpu  what was found, into README.md and reports/findings.svg
"""

import hashlib
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


def render(profile: Path) -> list[Path]:
    """Write the pages of `reports/<profile>` beside the runs' folders; those whose inputs are as they were, stay."""
    for page in profile.glob("*.failed.html"):  # of failures that a later run has put right
        if not page.with_suffix("").exists():
            page.unlink()
    siblings, pages = read_profile(profile), []
    for run in (run for run in siblings if (run.folder / EXECUTED).exists()):
        files = {name: paths.file_sha256(run.folder / name) for name in FILES if (run.folder / name).exists()}
        kind, page = kind_of_data(run, siblings), run.folder.with_name(f"{run.name}.html")
        made_of = "".join([kind, *files.values(), *map(paths.file_sha256, CODE)])
        inputs = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        if not page.exists() or f'content="{inputs}"' not in page.read_text("utf-8")[:2_000]:
            _write_page(run, page, kind=kind, inputs=inputs, files=files)
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


def collect(profile: Path) -> Path:
    """Join the `results.csv` of a profile's finished runs into one, number by number as written, and say where.

    Raises ValueError where a file has other columns than `runs.COLUMNS`.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    for run in (run for run in read_profile(profile) if run.status == "finished"):
        parts.append(run.results.drop(columns="line"))
        if tuple(parts[-1].columns) != COLUMNS:
            has = f"{run.folder / 'results.csv'} has the columns {', '.join(parts[-1].columns)}"
            raise ValueError(f"{has}, not {', '.join(COLUMNS)}: run its notebook again")
    target = profile / "results.csv"
    write_csv(pd.concat(parts, ignore_index=True), target)
    return target


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands and print the files that it wrote."""
    from fer_helpers.study import index

    parser = ArgumentParser("study.report", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("all", "index", "readme"))
    parser.add_argument("folder", type=Path, nargs="?", help="reports/<profile>, for `all`")
    parser.add_argument("--profiles", nargs="+", help="names of folders in reports/, for the others; all by default")
    parser.add_argument("--out", type=Path, default=paths.reports_dir() / "index.html", help="where the index goes")
    chosen = parser.parse_args(arguments)
    command, folder = chosen.command, chosen.folder
    if (folder is None) == (command == "all"):
        parser.error(f"{command} {'needs a folder, reports/<profile>' if folder is None else 'takes --profiles'}")
    if command == "all":
        written = [*render(folder), collect(folder)]
        written.append(index.write_index([folder.name], folder / "index.html", folder.parent))
    else:
        profiles = chosen.profiles or sorted({file.parts[-3] for file in paths.reports_dir().glob("*/*/run.json")})
        written = index.write_readme(profiles) if command == "readme" else [index.write_index(profiles, chosen.out)]
    print(*written, sep="\n")


if __name__ == "__main__":
    main()
