"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report cpu bench      # `make index`: what these profiles found, and in README.md too
"""

import hashlib
import sys
from pathlib import Path

from fer_helpers import paths, plots
from fer_helpers.study import templates
from fer_helpers.study.runs import EXECUTED, Record, joined_results, read_profile, write_csv

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
        deviations=cells.deviations(notebook, run.about.get("parameters", {})),
        rows_shown=ROWS_SHOWN,
        again=(paths.notebooks_dir() / "profiles" / run.profile / f"{run.name.removesuffix('.failed')}.yaml").exists(),
        **content,
    )


def write_pages(profile: Path) -> None:
    """Bring the pages of `reports/<profile>` up to date, its `results.csv` and its own index.

    ValueError where a `results.csv` has other columns than `runs.COLUMNS`.
    """
    from fer_helpers.study import index

    render(profile)
    write_csv(joined_results(profile), profile / "results.csv")
    index.write_index([profile.name], profile.parent, profile.name)


def main() -> None:
    """Write the index of the profiles that are named, and what they found into README.md, and print the files."""
    from fer_helpers.study import index

    if not sys.argv[1:]:
        sys.exit("name the profiles, folders in reports/, as in: python -m fer_helpers.study.report cpu bench")
    print(index.write_index(sys.argv[1:], paths.reports_dir()), *index.write_readme(sys.argv[1:]), sep="\n")


if __name__ == "__main__":
    main()
