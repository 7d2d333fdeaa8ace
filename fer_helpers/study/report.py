"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report cpu gpu bench      # `make index`: what these profiles found, and in README.md too
"""

import gzip
import hashlib
import sys
import zlib
from pathlib import Path

from fer_helpers import paths, plots
from fer_helpers.study import claims, index, runs, templates
from fer_helpers.study.claims.verdicts import SCOREBOARD
from fer_helpers.study.parameters import notebook_of
from fer_helpers.study.runs import EXECUTED, Record, RunError, joined_results, read, read_profile, write_csv

FILES = ("results.csv", "predictions.csv.gz", "history.csv", "verdicts.csv", "run.json", EXECUTED)
# A change of these changes pages.
CODE = [*templates.FILES, Path(plots.__file__), *map(Path(__file__).with_name, ("report.py", "cells.py", "index.py"))]
CODE += [*Path(claims.__file__).parent.glob("*.py"), *(paths.PROJECT / "data").glob("*.csv")]


def render(profile: Path) -> list[Path]:
    """Write the pages of `reports/<profile>` beside the runs' folders; those whose inputs are as they were, stay."""
    for page in profile.glob("*.failed.html"):  # of failures that a later run has put right
        if not page.with_suffix("").exists():
            page.unlink()
    siblings, pages, damaged = read_profile(profile), [], []
    boards = [read(file.parent) for file in sorted(profile.parent.glob(f"*/{SCOREBOARD}/verdicts.csv"))]
    boards = [board for board in boards if profile.name in board.about.get("parameters", {}).get("profiles", [])]
    judges = [*CODE, *(board.folder / "verdicts.csv" for board in boards)]
    for run in (run for run in siblings if (run.folder / EXECUTED).exists()):
        files = {name: paths.file_sha256(run.folder / name) for name in FILES if (run.folder / name).exists()}
        kind, page = index.kind_of_data(run, siblings), run.folder.with_name(f"{run.name}.html")
        prose = [file for file in [notebook_of(run.name)] if file.exists()]
        made_of = "".join([kind, *files.values(), *map(paths.file_sha256, [*judges, *prose])])
        inputs = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        if not page.exists() or f'content="{inputs}"' not in page.read_text("utf-8", "replace")[:2_000]:
            try:
                _write_page(run, page, kind, boards, inputs=inputs, files=files)
            except (gzip.BadGzipFile, EOFError, ValueError, zlib.error) as error:
                damaged.append(f"{run.folder} is damaged ({error}): restore it from git, or run it again")
        pages.append(page)
    if damaged:  # the pages of the others are there
        raise RunError("; ".join(damaged))
    return pages


def _write_page(run: Record, page: Path, kind: str, boards: list[Record], **content) -> None:
    from fer_helpers.study import cells  # loads nbconvert, seconds that a profile without a change is spared

    notebook, outline, failed = cells.read(run.folder / EXECUTED), cells.Outline(), run.status != "finished"
    content["prose_of_today"] = cells.clarify(notebook, notebook_of(run.name))
    if kind == "real" and run.about.get("paper") and not failed:
        run.about["verdict"] = cells.judge_anew(notebook, run, index.verdicts_of(boards) if boards else None)
    of_run = paths.notebooks_dir() / "profiles" / run.profile / f"{run.name.removesuffix('.failed')}.yaml"
    content |= {"cells": cells.cells_of(notebook, failed, outline), "outline": outline, "again": of_run.exists()}
    content["deviations"] = cells.deviations(notebook, run.about.get("parameters", {}))
    templates.write("run.html.j2", page, run=run, kind=kind, boards=boards, **content)


def write_pages(profile: Path) -> None:
    """Bring the pages, `results.csv` and index of `reports/<profile>` up to date; ValueError as of `joined_results`."""
    render(profile)
    write_csv(joined_results(profile), profile / "results.csv")
    index.write_index([profile.name], profile.parent, profile.name)


def main() -> None:
    """Write the index of the profiles that are named, and what they found into README.md, and print the files."""
    names, reports = [*dict.fromkeys(sys.argv[1:])], paths.reports_dir()
    if not names or (unknown := set(names) - {folder.name for folder in reports.iterdir() if folder.is_dir()}):
        problem = f"no folder in reports/: {', '.join(sorted(unknown))}; as in" if names else "name profiles, as in"
        sys.exit(f"{problem}: python -m fer_helpers.study.report cpu gpu bench")
    try:
        every = [run for name in names for run in read_profile(reports / name)]
        if damaged := [str(run.folder / file) for run in every if (file := runs.damaged_file(run))]:
            sys.exit(f"gone or damaged: {', '.join(damaged)}: restore them from git; index and README.md stay")
        if not any(run.status == "finished" and index.kind_of_data(run, []) == "real" for run in every):
            sys.exit(f"no run on real photographs has finished in {', '.join(names)}: index and README.md stay")
        print(index.write_index(names, reports), *index.write_readme(names), sep="\n")
    except (RunError, ValueError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped by hand: what was not written yet is as it was")


if __name__ == "__main__":
    main()
