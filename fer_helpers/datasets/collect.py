"""What a loader finds, put together into a data set: rows, what was left out and why, notes, one copy of each file."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path, PurePosixPath

from fer_helpers.datasets import table
from fer_helpers.datasets.files import IMAGE_SUFFIXES, FileTree
from fer_helpers.datasets.table import EXPRESSIONS, SPELLINGS, SPLITS, FaceDataset, LayoutError

SPLIT_FOLDERS = {"train": "train", "training": "train", "test": "test", "testing": "test", "privatetest": "test"}
SPLIT_FOLDERS |= dict.fromkeys(("val", "valid", "validation", "publictest"), "val")
PACKED = (".gz", ".tgz", ".tar", ".zip", ".7z", ".rar", ".parquet", ".arrow")  # in which a data set may still be
DOCUMENTS = (".txt", ".csv", ".tsv", ".json", ".npy", ".md", ".pdf", ".html", ".htm", ".xml", ".yaml", ".yml", ".ini")
DOCUMENTS += (".db", ".doc", ".docx", ".mat", ".py", ".ipynb", *PACKED)


class Collection:
    """The files of one copy of a data set, and what a loader has made of them so far.

    Args:
        name, title, expected: of the data set: its key, as people write it, and its layouts in a clause.
        location: as for `FileTree`.
    """

    def __init__(self, name: str, title: str, expected: str, location: Path):
        self.name, self.title, self.expected, self.tree = name, title, expected, FileTree(location)
        self.rows: list[dict] = []
        self.skipped: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.passed_over: set[str] = set()  # images that the layout has and the caller did not ask for
        self._named: dict[str, str] = {}

    def add(self, image: str, expression: str, split: str | None = None, **known) -> None:
        """Add one image of the tree to the table."""
        row = {"image": image, "path": self.tree.path(image), "expression": expression, "split": split}
        self.rows.append(row | known)

    def skip(self, image: str, reason: str) -> None:
        """List an image as left out; its path is put before the reason."""
        self.skipped.append((image, f"{self.tree.path(image)} {reason}"))

    def accepts(self, file: str, number: int, image: str, known: dict[str, str], *faults: tuple[bool, str]) -> bool:
        """Whether a row of a label file gives an image its label; if not, it is listed with the first fault.

        Args:
            file, number: of the row.
            image: as the file names it, '' if it does not.
            known: where each image lies, by that name.
            *faults: whether the row has it, and its description.
        """
        where = f"{self.tree.path(file)}, data row {number}"
        first = self._named.setdefault(image, where)
        faults += (
            (not image, "no name of an image"),
            (first != where, f"named a second time: {first} counts"),
        )
        fault = next((text for has_it, text in (*faults, (image not in known, f"no file {image}")) if has_it), "")
        if fault:
            self.skipped.append((image or f"{file}/{number}", f"{fault} ({where})"))
            self.passed_over.add(known.get(image, ""))
        return not fault

    def absent(self, found: str = "") -> FileNotFoundError:
        """The error for a place without any layout of this data set; it names an archive in it that is still packed."""
        packed = [name for name in self.tree.names if name.lower().endswith(PACKED)]
        found += f"; {packed[0]} in it is not read: unpack it, or get a copy with image files" if packed else ""
        return FileNotFoundError(f"no {self.title} under {self.tree.location}{found}: {self.expected}")

    def one_copy(self, files: Iterable[tuple[Hashable, str]], depth: int, alone: bool = True) -> dict[Hashable, str]:
        """One name for each key; a second copy is left aside if it holds the same bytes and nothing else.

        Args:
            files: key and name of each file.
            depth: how many parts at the end of a name belong to the layout; what stands before is the folder of the
                copy.
            alone: whether files of one copy lie in one folder, so that a second one is a second copy whatever it holds.

        Raises:
            LayoutError: two copies differ.
        """
        copies, taken = defaultdict(list), {}
        for key, name in files:
            copies[tuple(name.split("/")[:-depth])].append((key, name))
        for _, members in sorted(copies.items(), key=lambda copy: (-len(copy[1]), copy[0])):
            again = [taken[key] for key, _ in members if key in taken]
            new = [name for key, name in members if key not in taken]
            if new and (again or (alone and taken)):
                raise self.tree.two_copies((again or list(taken.values()))[0], new[0])
            for key, name in members:
                if taken.setdefault(key, name) != name:
                    self.tree.take_one(taken[key], name)
        return taken

    def split_folders(self) -> dict[str, list[str]]:
        """The images below `<split>/<class>/` by split, which is what the folder says."""
        files = defaultdict(list)
        for name in self.tree.images:
            split, label, file = name.split("/")[-3:] if name.count("/") > 1 else ("", "", name)
            if split.lower() in SPLIT_FOLDERS:
                files[SPLIT_FOLDERS[split.lower()]].append(((SPELLINGS.get(label.lower(), label), file), name))
        return {split: sorted(self.one_copy(found, depth=2).values()) for split, found in files.items()}

    def class_of(self, name: str) -> str:
        """The expression of an image by its class folder."""
        folder = PurePosixPath(name).parent
        return table.canonical_expression(folder.name, self.tree.path(str(folder.parent)))

    def check_numbering(self, codes: set[str], first: int, last: int, where: str) -> None:
        """Refuse numbers for expressions that begin one too low or too high: each image would get another label."""
        for step, unknown, lacking in ((1, last + 1, first), (-1, first - 1, last)):
            if str(unknown) in codes and str(lacking) not in codes:
                runs = f"labels in {self.tree.path(where)} run from {first + step} to {last + step}"
                raise LayoutError(
                    f"{runs}, those of {self.title} from {first} to {last}: this copy was numbered anew, how is not "
                    "known; get one with the published numbers"
                )

    def dataset(self, classes: Iterable[str] = (), splits: Iterable[str] = (), published: dict | None = None, whose=""):
        """The `FaceDataset`.

        Args:
            classes: those of which each split has to hold an image, and no other; none are checked without.
            splits: those that have to be there besides any that are.
            published: numbers of `images`, `subjects`, `images in <split>`, `images of <expression>`; a note says which
                differ.
            whose: these are, as in `the numbers of Lucey et al. 2010`.

        Raises:
            LayoutError: there is no image at all, or none of a class in a split.
        """
        self._list_the_rest()
        tree, left_out = self.tree, "no image"
        if self.skipped:
            left_out = f"{len(self.skipped):,} left out, the first is {': '.join(self.skipped[0])}"
        if not self.rows:
            raise LayoutError(f"no image under {tree.location} can be used ({left_out}): {self.expected}")
        images = table.make_table(self.rows)
        other = images[~images["expression"].isin(list(classes) or images["expression"])]
        for path, expression in zip(other["path"], other["expression"], strict=True):
            raise LayoutError(f"{path} is labelled {expression}, which {self.title} does not have: remove that class")
        for split in dict.fromkeys((*splits, *images["split"])) if classes else ():
            present = set(images["expression"][images["split"] == split])
            missing = ", ".join(name for name in classes if name not in present)
            if missing:
                where = f"{tree.location} holds no image of {missing} in the split {split!r}"
                raise LayoutError(f"{where} ({left_out}): the copy is incomplete, get it again")
        counts = {"images": len(images), "subjects": images["subject"].nunique()}
        counts |= {f"images in {split}": int((images["split"] == split).sum()) for split in SPLITS}
        counts |= {f"images of {name}": int((images["expression"] == name).sum()) for name in EXPRESSIONS}
        self.notes += table.differences(counts, published or {}, whose)
        if tree.copies:
            again = (
                f"{len(tree.copies):,} files are there a second time, byte for byte the same, {tree.copies[0]} first"
            )
            self.notes.append(f"{again}: one of each was read.")
        return FaceDataset(self.name, tree.location, images, table.skipped_images(self.skipped), tuple(self.notes))

    def _list_the_rest(self) -> None:
        """List every file as left out that may be an image and was not dealt with."""
        known = {row["image"] for row in self.rows} | {name for name, _ in self.skipped}
        for name in sorted(set(self.tree.names) - known - self.passed_over - set(self.tree.copies)):
            suffix, is_title = PurePosixPath(name).suffix.lower(), PurePosixPath(name).name.isupper()
            if suffix in IMAGE_SUFFIXES:
                self.skip(name, "lies where this layout has no image, or nothing names it")
            elif suffix not in DOCUMENTS and (suffix or not is_title):  # README and LICENSE are no images
                self.skip(name, f"has none of the suffixes that are read: {' '.join(IMAGE_SUFFIXES)}")
