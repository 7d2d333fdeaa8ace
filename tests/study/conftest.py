"""Where the numbers of a page come from, and a run's folder as a notebook leaves it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fer_helpers.plots import table_html
from fer_helpers.study.runs import COLUMNS


@pytest.fixture(scope="session")
def untraced_numbers() -> Callable[[str, pd.DataFrame, pd.DataFrame], list[str]]:
    """Lists the numbers of a page's result tables that come from nowhere: (html, rows of results.csv, of claims.csv).

    A number of `plots.show_table` carries its exact value. It must be in a numeric column of results.csv; in a column
    headed `paper`, in claims.csv; in one that starts with `difference`, be a result less a claim of the same row.
    """

    def untraced(html: str, results: pd.DataFrame, claims: pd.DataFrame) -> list[str]:
        reported = results.select_dtypes("number").to_numpy(dtype="float64").ravel()
        claimed = np.concatenate([claims[name].to_numpy(dtype="float64", na_value=np.nan) for name in ("value", "n")])
        lines = []
        for table in BeautifulSoup(html, "html.parser").select("table.results"):
            heads = [cell.get_text().strip().lower() for cell in table.thead.find_all("tr")[-1].find_all(["th", "td"])]
            for row in table.select("tbody tr"):
                cells = list(zip(heads, row.find_all(["th", "td"]), strict=True))
                lines += [f"{head}: {number}" for head, number in _of_row(cells, reported, claimed)]
        return lines

    return untraced


def _of_row(cells, reported, claimed):
    numbers = [(head, float(element["value"])) for head, cell in cells for element in cell.select("data[value]")]
    is_paper = {head: "paper" in head.split(" · ") for head, _ in cells}
    is_difference = {head: head.split(" · ")[-1].startswith("difference") for head, _ in cells}
    of_run = [value for head, value in numbers if not is_paper[head] and not is_difference[head]]
    differences = np.subtract.outer(of_run, [value for head, value in numbers if is_paper[head]]).ravel()
    for head, value in numbers:
        known = claimed if is_paper[head] else differences if is_difference[head] else reported
        if not np.isclose(known, value, rtol=1e-9, atol=1e-12).any():
            yield head, value


def html(content: str) -> nbformat.NotebookNode:
    return new_output("display_data", {"text/html": content, "text/plain": "html"})


def printed(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return new_output("stream", name=name, text=text)


def everything() -> nbformat.NotebookNode:
    """A notebook with one of everything that a page must show."""
    wide = pd.DataFrame([[0.123456] * 30], columns=[f"column {place}" for place in range(30)])
    results = table_html(pd.DataFrame({"model": ["B0"], "accuracy": [0.4532101]}), "Accuracy", ".1%")
    figure = '<figure><img src="data:image/png;base64,iVBO" alt="A curve"><figcaption>Loss.</figcaption></figure>'
    bars = new_output("display_data", {"application/javascript": "x()", "text/plain": "bars"})
    cells = [
        new_markdown_cell("# A title\n\nAs $d = \\alpha^\\phi$ and $$\\alpha \\beta^2 \\approx 2$$ [Data](#The-data)."),
        new_code_cell("epochs = 3  # of *training*\nb = 2  # " + "long " * 60, metadata={"tags": ["parameters"]}),
        new_code_cell('epochs = 1\nb = 2\nrun_dir = "x # y"', metadata={"tags": ["injected-parameters"]}),
        new_markdown_cell("## The data\n\n| set | n |\n|---|---:|\n| CK+ | 1,308 |"),
        new_markdown_cell("[c](../data/claims.csv) [d](https://doi.org/1)"),
        new_code_cell("wide", outputs=[html(wide._repr_html_())]),
        new_markdown_cell("### Training"),
        new_code_cell("fit()", outputs=[printed("\n".join(f"warning {line}" for line in range(1000)), "stderr")]),
        new_code_cell("print(1)", outputs=[printed(" 10 %\r100 %\n\x1b[1mdone\x1b[0m " + "x" * 300)]),
        new_code_cell("tqdm()", outputs=[printed("\n", "stderr"), printed("/home/me/.venv/site-packages/keras/a.py")]),
        new_markdown_cell("## The data\n\nA second heading of that name."),
        new_code_cell("show()", outputs=[html(figure)]),
        new_code_cell("show_table()", outputs=[html(results)]),
        new_code_cell("bars()", outputs=[bars]),
        new_code_cell('v = claims.verdict(run, "")\nshow(v.table, "Judged.", ".3g")', outputs=[html("<p>")]),
        new_code_cell("say()", outputs=[new_output("display_data", {"text/markdown": "**Verdict.** not tested."})]),
    ]
    return new_notebook(cells=cells)


ABOUT = {"notebook": "03_singh_2022", "paper": "singh_2022", "status": "finished", "init": "scratch", "seconds": 738}
ABOUT |= {"started": "2026-11-20T14:05:00+00:00", "parameters": {"epochs": 1, "seeds": [0, 1]}, "commit": "89abcdef"}
ABOUT |= {"versions": {"keras": "3.15.1"}, "backend": "tensorflow", "device": "a processor, 2 cores"}
ABOUT |= {"verdict": "not tested."}
PHOTOGRAPHS = {"dataset": "fer2013", "source": "real photographs", "images": 35887, "table_hash": "0123456789abcdef"}


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Writes a run's folder: (folder, rows of results.csv, executed notebook if not `everything`, **of run.json)."""

    def write(folder: Path, rows: list[dict] = (), executed: nbformat.NotebookNode | None = None, **about) -> Path:
        folder.mkdir(parents=True)
        content = ABOUT | {"run": folder.name, "profile": folder.parent.name, "data": [PHOTOGRAPHS]} | about
        (folder / "run.json").write_text(json.dumps(content))
        always = {"run": folder.name, "notebook": content["notebook"]}
        pd.DataFrame([always | row for row in rows], columns=list(COLUMNS)).to_csv(folder / "results.csv", index=False)
        (folder / "executed.ipynb.gz").write_bytes(gzip.compress(nbformat.writes(executed or everything()).encode()))
        return folder

    return write
