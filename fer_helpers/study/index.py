"""The index: what was found, the papers, every printed number with its verdict, every other result, and the runs.

Nothing is judged here: verdicts are read from the scoreboard's `verdicts.csv`, numbers from the runs' `results.csv`.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from fer_helpers import paths, plots
from fer_helpers.study import claims, report, templates
from fer_helpers.study.claims.published import NAMES
from fer_helpers.study.claims.verdicts import COLUMNS as OF_VERDICT
from fer_helpers.study.claims.verdicts import SCOREBOARD
from fer_helpers.study.runs import COLUMNS, Record, read_profile

NUMBERS = ["value", "n", "ci_low", "ci_high", "seed", "image_size"]
UNTRUE = ("impossible", "contradicts itself", "false")
AGAINST = ("not reproduced", "doubtful")
# What a reader wants to hear of first: ours against theirs, what can't be true, evidence, and then the rest.
RANKS = {"not reproduced": 0, "reproduced": 0, "impossible": 1, "contradicts itself": 1, "false": 1, "doubtful": 2}
RANKS |= {"supported": 2, "undecided": 3, "ambiguous": 4, "agrees": 5, "not tested": 6}
ROWS_OF_A_CARD = 3
ROWS_IN_FIGURE = 3  # of each paper
README_MARKS = ("<!-- results -->", "<!-- /results -->")


def named(*parts: str) -> str:
    """Parts that are not empty, joined by commas, with data sets under the names that readers know: `ckplus` is CK+."""
    return re.sub("|".join(NAMES), lambda key: NAMES[key[0]], ", ".join(filter(None, parts)))


def number(value: float, unit: str = "share", decimals: int = 3) -> str:
    """A number as printed: shares in percent, of others the thousands apart."""
    return plots.number_text(float(value), f".{max(decimals - 2, 0)}%" if unit == "share" else f",.{decimals}f")


def interval(low: float, high: float, unit: str = "share", decimals: int = 3) -> str:
    """The ends of an interval in brackets, without the percent signs; empty where one is missing."""
    if pd.isna(low) or pd.isna(high):
        return ""
    return f"[{number(low, unit, decimals)}, {number(high, unit, decimals)}]".replace(f"{plots.THIN_SPACE}%", "")


def results_of(runs: list[Record]) -> pd.DataFrame:
    """All rows of finished runs, numbers as numbers; `run` is `<profile>/<run>`, `line` its place in results.csv."""
    parts = [run.results.assign(run=f"{run.profile}/{run.name}") for run in runs if run.status == "finished"]
    rows = pd.concat([pd.DataFrame(columns=[*COLUMNS, "line"], dtype=str), *parts], ignore_index=True)
    rows = rows.assign(**{column: pd.to_numeric(rows[column], errors="coerce") for column in NUMBERS})
    return rows[rows["notebook"] != SCOREBOARD].reset_index(drop=True)


def verdicts_of(runs: list[Record]) -> pd.DataFrame:
    """The verdicts that the last scoreboard of these runs wrote, and the note that claims.csv has on each claim."""
    files = [run.folder / "verdicts.csv" for run in sorted(runs, key=lambda run: run.about.get("started", ""))]
    written = [file for file in files if file.exists()]
    found = pd.read_csv(written[-1]) if written else pd.DataFrame(columns=list(OF_VERDICT))
    lacking = set(OF_VERDICT) - set(found)
    if lacking:
        raise ValueError(f"{written[-1]} has no column {', '.join(sorted(lacking))}: run its notebook again")
    text = ["word", "reason", "unit", "kind", "where", "statement", "ours_model", "compared_with"]
    text += [name for name in found if name in COLUMNS and name not in NUMBERS]
    found = found.astype(dict.fromkeys(text, "object")).fillna(dict.fromkeys(text, ""))
    return found.merge(claims.load()[["claim", "note"]], on="claim")


def papers() -> pd.DataFrame:
    """Columns `paper` (its key), `authors` with the year, `title` and `link`; in the order in which they are shown."""
    return pd.read_csv(paths.PROJECT / "data" / "papers.csv", keep_default_na=False)


def claim_rows(verdicts: pd.DataFrame, results: pd.DataFrame) -> list[dict]:
    """What the index shows of each verdict: the number as printed, ours with a link to its row, every run on it."""
    authors = papers().set_index("paper")["authors"]
    once = set(claims.statements(verdicts)["claim"])
    by_claim = dict(list(results[results["claim"] != ""].groupby("claim")))
    rows = []
    for row in verdicts.to_dict("records"):
        of_claim = by_claim.get(row["claim"], results.head(0))
        kind = {"unit": row["unit"], "decimals": int(row["decimals"])}
        finer = {"unit": row["unit"], "decimals": max(kind["decimals"], 3)}
        own = _nearest_row(row, of_claim, results)
        row |= {
            "what": named(row["metric"].replace("_", " "), row["expression"]),
            "of": named(row["dataset"], row["split"], row["model"]),
            "counts": row["claim"] in once,  # several rows make some statements
            "authors": authors.get(row["paper"], row["paper"]),
            "is_share": row["unit"] == "share",
            "unit": "" if row["unit"] == "share" else row["unit"],
            "shown": number(row["printed"], **kind),
            "printed_interval": interval(row["printed_low"], row["printed_high"], **finer),
            "floor_shown": number(row["floor"], **finer) if pd.notna(row["floor"]) else "",
            "has_ours": pd.notna(row["ours"]),
            "ours_shown": number(row["ours"], **finer) if pd.notna(row["ours"]) else "",
            "interval": interval(row["ours_low"], row["ours_high"], **finer),
            "about": "" if own is None else about(own, row["seeds"]),
            "link": "" if own is None else link(own),
            "beside": _beside(row),
            "named": [(run, len(rows), link(rows.iloc[0])) for run, rows in of_claim.groupby("run")],
        }
        rows.append(row)
    return rows


def _nearest_row(verdict: dict, of_claim: pd.DataFrame, results: pd.DataFrame) -> pd.Series | None:
    """The row of results that ours stands in, or of several seeds the nearest; None where nothing is ours."""
    keys = {"run": "run", "model": "ours_model", "init": "init", "metric": "metric", "expression": "expression"}
    for rows in (of_claim, results):
        same = rows[(rows[list(keys)] == [verdict[name] for name in keys.values()]).all(axis=1)]
        if len(same) and pd.notna(verdict["ours"]):
            return same.loc[(same["value"] - verdict["ours"]).abs().idxmin()]
    return None


def _beside(row: dict) -> str:
    """What a printed accuracy is compared with, and how many images that is."""
    if pd.isna(row["images_apart"]):
        return ""
    least = f"; so many images can show {number(row['smallest'])}" if pd.notna(row["smallest"]) else ""
    return f"{row['images_apart']:,.0f} images apart from {row['compared_with']}, printed too{least}."


def link(row: pd.Series) -> str:
    """A row of results as seen from the folder of the reports: its place in the page of its run."""
    return f"{quote(row['run'])}.html#{'row-' + str(row['line']) if row['line'] - 2 < report.ROWS_SHOWN else 'rows'}"


def about(row: pd.Series, seeds: float = 1) -> str:
    """What a result belongs to, in a few words; `seeds` is over how many it is."""
    counted = [f"n = {row['n']:,.0f}"] if pd.notna(row["n"]) else []
    sized = [f"{row['image_size']:.0f} px"] if pd.notna(row["image_size"]) else []
    seeded = [f"{seeds:.0f} seeds" if seeds > 1 else f"seed {row['seed']:.0f}"] if pd.notna(row["seed"]) else []
    return named(*counted, row["dataset"], row["split"], row["model"], row["init"], *sized, *seeded)


def telling(rows: list[dict], most: int) -> list[dict]:
    """The most telling rows of a paper: results before facts, each word once before any comes twice.

    A number that is printed in several places counts once.
    """

    def rank(row: dict) -> tuple:
        gap = abs(row["printed"] - row["ours"]) if row["has_ours"] and row["is_share"] else 0
        told = RANKS.get(row["word"], len(RANKS))
        return row["kind"] != "result", told, not row["has_ours"], row["metric"] != "accuracy", -gap

    once = {(row["what"], row["of"], row["printed"], row["word"]): row for row in sorted(rows, key=rank, reverse=True)}
    ranked = sorted(once.values(), key=rank)
    first = {row["word"]: row for row in reversed(ranked) if row["kind"] == "result"}
    chosen = sorted(first.values(), key=rank)[:most]
    return sorted(chosen + [row for row in ranked if row not in chosen][: most - len(chosen)], key=rank)


def cards(rows: list[dict], runs: list[Record]) -> list[dict]:
    """What the index shows of each paper: its most telling rows, a word of verdict on its results, its pages."""
    shown = []
    for paper in papers().to_dict("records"):
        own = [row for row in rows if row["paper"] == paper["paper"]]
        results = Counter(row["word"] for row in own if row["kind"] == "result" and row["counts"])
        tested = Counter({word: count for word, count in results.items() if word != "not tested"}) or results
        shown.append(
            paper
            | {
                "rows": telling(own, ROWS_OF_A_CARD),
                "word": tested.most_common(1)[0] if tested else ("not tested", 0),
                "results": results,
                "printed": sum(row["counts"] for row in own),
                "runs": [run for run in runs if run.about.get("paper") == paper["paper"]],
            }
        )
    return shown


def findings(headline: str, rows: list[dict], results: pd.DataFrame) -> Iterator[dict]:
    """At most five sentences on what was found, each with number, interval and link; without a measurement, none."""
    if rows:
        words = [row["word"] for row in rows if row["counts"]]
        untrue = sum(word in UNTRUE for word in words)
        text = f" {untrue} of all {len(words)} printed statements can't be true as they stand."
        yield {"strong": headline, "text": text, "link": "#claims"}
    accuracies = results[(results["metric"] == "accuracy") & (results["expression"] == "")]
    yield from _random_split(accuracies)
    yield from _printed_too_high(rows)
    copies = results[(results["metric"] == "duplicate_of_train") & results["split"].isin(["test"])]
    for _, row in copies.nlargest(1, "n").iterrows():
        yield {
            "strong": f"{row['value']:,.0f} of the {row['n']:,.0f} test images of {named(row['dataset'])}",
            "text": f" ({number(row['value'] / row['n'])}) have an exact copy among those that train.",
            "link": link(row),
        }
    scored = accuracies[(accuracies["protocol"] == "clean") & (accuracies["split"] == "test")]
    for _, row in scored[scored["n"] == scored["n"].max()].nlargest(1, "value").iterrows():
        yield {
            "strong": f"The best network trained here reaches {number(row['value'])}",
            "text": f" {interval(row['ci_low'], row['ci_high'])} ({about(row)}).",
            "link": link(row),
        }


def _random_split(accuracies: pd.DataFrame) -> Iterator[dict]:
    """What a split by image is worth beside one with no person on both sides, for the network that it flatters most."""
    keys = ["run", "dataset", "model", "init", "image_size", "seed"]
    pooled = accuracies.drop_duplicates([*keys, "split"]).set_index([*keys, "split"])["value"].unstack("split")
    if not {"random", "subject"} <= set(pooled):
        return
    gain = (pooled["random"] - pooled["subject"]).dropna()
    if gain.empty:
        return
    key = gain.idxmax()
    same = (accuracies[keys].fillna(-1) == pd.Series(key, keys).fillna(-1)).all(axis=1)
    ends = {split: accuracies[same & (accuracies["split"] == split)].iloc[0] for split in ("random", "subject")}
    told = {split: f"{number(row['value'])} {interval(row['ci_low'], row['ci_high'])}" for split, row in ends.items()}
    yield {
        "strong": f"A random split of {named(key[1])} is worth {100 * gain.max():.1f} points",
        "text": f": {key[2]} ({key[3]}) scores {told['random']}, and {told['subject']} with no person on both sides.",
        "link": link(ends["subject"]),
    }


def _printed_too_high(rows: list[dict]) -> Iterator[dict]:
    """The printed accuracy that lies furthest above ours, first among those that the verdict speaks against."""
    known = [row for row in rows if row["kind"] == "result" and row["metric"] == "accuracy" and row["has_ours"]]
    for row in sorted(known, key=lambda row: (row["word"] not in AGAINST, row["ours"] - row["printed"]))[:1]:
        yield {
            "strong": f"Printed {row['shown']}, ours {row['ours_shown']}",
            "text": f" {row['interval']} ({row['authors']}, {row['where']}; {row['about']}): {row['word']}.",
            "link": row["link"] or f"#{row['claim']}",
        }


def figure(shown: list[dict], rows: list[dict]) -> list[dict]:
    """The rows of the figure, printed shares and ours, by paper; only of papers with numbers of ours on a result."""
    groups = []
    for card in shown:
        own = [row for row in rows if row["paper"] == card["paper"] and row["kind"] == "result" and row["is_share"]]
        beside = telling([row for row in own if row["has_ours"]], ROWS_IN_FIGURE) or telling(own, 1)
        groups.append({"title": card["authors"], "rows": beside})
    return [group for group in groups if group["rows"]]


def other_results(results: pd.DataFrame, rows: list[dict]) -> list[dict]:
    """Results that no paper prints: those of one metric, run and set of images in one entry, for all seeds."""
    others = results[~results["claim"].isin([row["claim"] for row in rows])]
    keys = ["run", "metric", "dataset", "split", "protocol", "model", "init"]
    entries = []
    for key, of_key in others.groupby(keys, sort=False, dropna=False):
        low, high = of_key["value"].min(), of_key["value"].max()
        ends = "no number" if pd.isna(low) else f"{low:.5g}" if low == high else f"{low:.5g} to {high:.5g}"
        entry = {"low": low, "shown": ends.replace("-", plots.MINUS), "rows": len(of_key), "link": link(of_key.iloc[0])}
        entries.append(dict(zip(keys, key, strict=True)) | entry)
    return entries


def not_run(profiles: list[str], runs: list[Record]) -> dict[str, list[str]]:
    """The runs that a profile defines and that have left nothing, by profile."""
    made = {(run.profile, run.name.removesuffix(".failed")) for run in runs}
    files = {name: sorted((paths.notebooks_dir() / "profiles" / name).glob("*.yaml")) for name in profiles}
    lacking = {name: [file.stem for file in of if (name, file.stem) not in made] for name, of in files.items()}
    return {name: names for name, names in lacking.items() if names}


def content(profiles: list[str], reports: Path) -> dict:
    """What an index of these profiles shows."""
    of_profile = [read_profile(reports / name) for name in profiles]
    groups = {"real": [], "generated": [], "unread": []}
    for runs in of_profile:
        for kind, of_kind in groups.items():
            of_kind += filter(None, [[run for run in runs if report.kind_of_data(run, runs) == kind]])
    photographed = [run for runs in groups["real"] for run in runs]
    results = results_of(photographed)
    verdicts = verdicts_of(photographed)
    rows = claim_rows(verdicts, results)
    shown = cards(rows, photographed) if photographed else []
    return groups | {
        "claims": rows,
        "counts": Counter(row["word"] for row in rows if row["counts"]),
        "cards": shown,
        "findings": list(findings(claims.headline(verdicts), rows, results)),
        "figure": figure(shown, rows),
        "others": other_results(results, rows),
        "not_run": not_run(profiles, [run for runs in of_profile for run in runs]),
        "results": results,
    }


def write_index(profiles: list[str], out: Path, reports: Path | None = None) -> Path:
    """Write an index of the runs of some profiles, folders in `reports/`, and say where."""
    reports = reports or paths.reports_dir()
    above = os.path.relpath(reports, out.resolve().parent)
    return templates.write(
        "index.html.j2",
        out,
        above="" if above == "." else f"{above}/",
        claims_csv=os.path.relpath(paths.PROJECT / "data" / "claims.csv", out.resolve().parent),
        facts=report.facts,
        **content(profiles, reports),
    )


def write_readme(profiles: list[str]) -> list[Path]:
    """Put what was found between the marks in README.md, and the figure beside the reports; say where.

    One line a paper: its most telling number as printed, ours beside it, and a word of verdict on its results.
    """
    found = content(profiles, paths.reports_dir())
    lines = [f"- **{finding['strong']}**{finding['text']}" for finding in found["findings"]]
    lines += ["", "![Printed numbers and ours with 95 % intervals, by paper](reports/findings.svg)", ""]
    lines += ["| paper | what | printed | ours | verdict on its results |", "|---|---|---:|---:|---|"]
    for card in found["cards"]:
        for row in card["rows"][:1]:
            ours = f"{row['ours_shown']} {row['interval']}" if row["has_ours"] else plots.MISSING
            verdict = f"{card['word'][0]} ({card['word'][1]} of {card['results'].total()})"
            cells = [card["authors"], named(row["what"], row["of"]), f"{row['shown']} {row['unit']}", ours, verdict]
            lines.append(f"| {' | '.join(cells)} |")
    readme = paths.PROJECT / "README.md"
    before, begin, rest = readme.read_text(encoding="utf-8").partition(README_MARKS[0])
    _, end, after = rest.partition(README_MARKS[1])
    with paths.written_whole(readme) as partial:
        partial.write_text("\n".join([before + begin, *lines, end + after]), encoding="utf-8")
    figure_file = paths.reports_dir() / "findings.svg"
    return [readme, templates.write("findings.svg.j2", figure_file, standalone=True, figure=found["figure"])]
