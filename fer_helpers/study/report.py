"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report cpu gpu bench      # `make index`: what these profiles found, and in README.md too
"""

import hashlib
import sys
from pathlib import Path

from fer_helpers import paths, plots
from fer_helpers.study import index, templates
from fer_helpers.study.parameters import notebook_of
from fer_helpers.study.runs import EXECUTED, Record, joined_results, read_profile, write_csv

FILES = ("results.csv", "predictions.csv.gz", "history.csv", "verdicts.csv", "run.json", EXECUTED)
# A change of these changes pages.
CODE = [*templates.FILES, Path(plots.__file__), Path(__file__), Path(__file__).with_name("cells.py")]


def render(profile: Path) -> list[Path]:
    """Write the pages of `reports/<profile>` beside the runs' folders; those whose inputs are as they were, stay."""
    for page in profile.glob("*.failed.html"):  # of failures that a later run has put right
        if not page.with_suffix("").exists():
            page.unlink()
    siblings, pages = read_profile(profile), []
    for run in (run for run in siblings if (run.folder / EXECUTED).exists()):
        files = {name: paths.file_sha256(run.folder / name) for name in FILES if (run.folder / name).exists()}
        kind, page = index.kind_of_data(run, siblings), run.folder.with_name(f"{run.name}.html")
        prose = [file for file in [notebook_of(run.name)] if file.exists()]
        made_of = "".join([kind, *files.values(), *map(paths.file_sha256, [*CODE, *prose])])
        inputs = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        if not page.exists() or f'content="{inputs}"' not in page.read_text("utf-8")[:2_000]:
            _write_page(run, page, kind=kind, inputs=inputs, files=files)
        pages.append(page)
    return pages


def _write_page(run: Record, page: Path, **content) -> None:
    from fer_helpers.study import cells  # loads nbconvert, seconds that a profile without a change is spared

    notebook, outline, failed = cells.read(run.folder / EXECUTED), cells.Outline(), run.status != "finished"
    cells.clarify(notebook, notebook_of(run.name))
    templates.write(
        "run.html.j2",
        page,
        run=run,
        status="failed" if failed else "finished",
        error=run.about.get("error") or "it stopped before its end and left no message",
        cells=cells.cells_of(notebook, failed, outline),
        outline=outline,
        deviations=cells.deviations(notebook, run.about.get("parameters", {})),
        again=(paths.notebooks_dir() / "profiles" / run.profile / f"{run.name.removesuffix('.failed')}.yaml").exists(),
        **content,
    )


def write_pages(profile: Path) -> None:
    """Bring the pages of `reports/<profile>` up to date, its `results.csv` and its own index.

    ValueError where a `results.csv` has other columns than `runs.COLUMNS`.
    """
    render(profile)
    write_csv(joined_results(profile), profile / "results.csv")
    index.write_index([profile.name], profile.parent, profile.name)


def main() -> None:
    """Write the index of the profiles that are named, and what they found into README.md, and print the files."""
    unknown = [name for name in sys.argv[1:] if not (paths.reports_dir() / name).is_dir()]
    if unknown or not sys.argv[1:]:
        sys.exit(f"no folder in reports/: {unknown}; as in: python -m fer_helpers.study.report cpu gpu bench")
    print(index.write_index(sys.argv[1:], paths.reports_dir()), *index.write_readme(sys.argv[1:]), sep="\n")


if __name__ == "__main__":
    main()
