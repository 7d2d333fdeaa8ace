"""What a loader finds, put together into a data set: rows, what was left out and why, notes, one copy of each file."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path, PurePosixPath

from fer_helpers.datasets import table
from fer_helpers.datasets.files import IMAGE_SUFFIXES, FileTree, same_bytes
from fer_helpers.datasets.table import SPELLINGS, FaceDataset, LayoutError

SPLIT_FOLDERS = {"train": "train", "training": "train", "test": "test", "testing": "test", "privatetest": "test"}
SPLIT_FOLDERS |= dict.fromkeys(("val", "valid", "validation", "publictest"), "val")
PACKED = (".gz", ".tgz", ".tar", ".zip", ".7z", ".rar", ".parquet", ".arrow")  # in which a data set may still be
DOCUMENTS = (".txt", ".csv", ".tsv", ".json", ".npy", ".md", ".pdf", ".html", ".htm", ".xml", ".yaml", ".yml", ".ini")
DOCUMENTS += (".db", ".doc", ".docx", ".mat", ".py", ".ipynb")


class Collection:
    """The files of one copy of a data set (its key, title, and layouts in a clause), and what was made of them."""

    def __init__(self, name: str, title: str, expected: str, location: Path):
        self.name, self.title, self.tree = name, title, FileTree(location)
        self.expected = f"expected {expected}; see data/README.md"
        self.rows: list[dict] = []
        self.skipped: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.counts: Counter[str] = Counter()  # numbers of this copy, besides those of images, that were published
        self.passed_over: set[str] = set()  # images that the layout has and the caller did not ask for
        self.copies: set[str] = set()  # files left aside since another holds the same bytes
        self._named: dict[str, str] = {}

    def add(self, image: str, expression: str, split: str | None = None, **known) -> None:
        """Add one image of the tree to the table."""
        row = {"image": image, "path": self.tree.path(image), "expression": expression, "split": split}
        self.rows.append(row | known)

    def skip(self, image: str, reason: str) -> None:
        """List an image as left out; its path is put before the reason."""
        self.skipped.append((image, f"{self.tree.path(image)} {reason}"))

    def accepts(self, file: str, number: int, image: str, known: dict[str, str], *faults: tuple[bool, str]) -> bool:
        """Whether row `number` of a label file gives `image` its label; if not, it is listed with the first fault.

        `known` says where each image lies, by its name in such a file; a fault is whether there is one, and a sentence.
        """
        where = f"{self.tree.path(file)}, data row {number}"
        first = self._named.setdefault(image, where)
        faults += ((not image, "no name of an image"), (first != where, f"named a second time: {first} counts"))
        fault = next((text for has_it, text in (*faults, (image not in known, f"no file {image}")) if has_it), "")
        if fault:
            self.skipped.append((known.get(image) or image or f"{file}/{number}", f"{fault} ({where})"))
        return not fault

    def absent(self, found: str = "") -> FileNotFoundError:
        """The error for a place without any layout of this data set; it names an archive in it that is still packed."""
        packed = [name for name in self.tree.names if name.lower().endswith(PACKED)]
        found += f"; {packed[0]} in it is not read: unpack it, or get a copy with image files" if packed else ""
        return FileNotFoundError(f"no {self.title} under {self.tree.location}{found}: {self.expected}")

    def named(self, *file_names: str) -> str | None:
        """The file whose last part is one of these names, in any case, or None; two that differ are a `LayoutError`."""
        wanted = {file_name.lower() for file_name in file_names}
        files = [("", name) for name in self.tree.names if PurePosixPath(name).name.lower() in wanted]
        return self.one_copy(files, depth=1, alone=False).get("")

    def one_copy(self, files: Iterable[tuple[Hashable, str]], depth: int, alone: bool = True) -> dict[Hashable, str]:
        """One name for each key of the (key, name) pairs: a second file of a key has to be byte for byte the same.

        The last `depth` parts of a name belong to the layout, the folder before them is that of a copy; if `alone`,
        what another folder has and the fullest lacks is an error, too: it is a second copy.
        """
        copies, taken = defaultdict(list), {}
        for key, name in files:
            copies[tuple(name.split("/")[:-depth])].append((key, name))
        for _, members in sorted(copies.items(), key=lambda copy: (-len(copy[1]), copy[0])):
            fullest = next(iter(taken.values()), None) if alone else None
            for key, name in members:
                first = taken.setdefault(key, name)
                if first == name and fullest:
                    raise self.two_copies(fullest, name)
                if first != name:
                    if not same_bytes(self.tree.path(first), self.tree.path(name)):
                        raise self.two_copies(first, name)
                    self.copies.add(name)
        return taken

    def two_copies(self, first: str, other: str) -> LayoutError:
        """The error that names two copies of the data set, or of a part of it, since nobody can tell which is meant."""
        differ = f"{self.tree.location} holds more than one copy, and they differ ({first}, {other})"
        return LayoutError(f"{differ}: remove one, or name the folder above the other as data, be it in an archive")

    def split_folders(self) -> dict[str, list[str]]:
        """The images below `<split>/<class>/` by split, which is what the folder says."""
        files = defaultdict(list)
        for name in self.tree.images:
            split, label, file = name.split("/")[-3:] if name.count("/") > 1 else ("", "", name)
            if split.lower() in SPLIT_FOLDERS:
                files[SPLIT_FOLDERS[split.lower()]].append(((SPELLINGS.get(label.lower(), label), file), name))
        return {split: sorted(self.one_copy(found, depth=2).values()) for split, found in files.items()}

    def add_folders(self, folders: dict[str, list[str]], prefixes: dict[str, str], spellings=SPELLINGS) -> None:
        """Add what `split_folders` found, but no file whose name begins, up to a `_`, with another split or expression.

        Prefixes of splits, besides the names of their folders, are in lower case. The class folder is the label. Where
        there is no folder of validation images, `test` may hold them.
        """
        for split, name in ((split, name) for split, names in folders.items() for name in names):
            prefix, expression = name.rpartition("/")[2].partition("_")[0], self.class_of(name, spellings)
            says = (SPLIT_FOLDERS | prefixes).get(prefix.lower(), split)
            other = prefix.isalpha() and SPELLINGS.get(prefix.lower(), expression) != expression
            if not other and (says == split or ((split, says) == ("test", "val") and "val" not in folders)):
                self.add(name, expression, says)
            else:
                folder = f"{split}, {expression}" if other else split
                self.skip(name, f"lies in a folder of {folder}, but its name says {prefix}: which is right is not told")

    def class_of(self, name: str, spellings: dict[str, str] = SPELLINGS) -> str:
        """The expression of an image by its class folder, in any case; an unknown one is a `LayoutError`."""
        folder = PurePosixPath(name).parent
        if folder.name.lower() not in spellings:
            where, known = self.tree.path(str(folder.parent)), ", ".join(spellings)
            raise LayoutError(f"unknown expression {folder.name!r} in {where}: rename or remove it; known are {known}")
        return spellings[folder.name.lower()]

    def dataset(self, classes=(), splits=(), published: dict[str, int] | None = None) -> FaceDataset:
        """The `FaceDataset`; a note says which `published` numbers (of a split, an expression, ...) are not its own.

        `LayoutError` where there is no image at all, in one of the `splits`, or of one of the `classes` in any split:
        also where the numbers of a copy begin one too low or too high, so that each image would get another label.
        """
        self._list_the_rest()
        tree, left_out = self.tree, "no image"
        if self.skipped:
            left_out = f"{len(self.skipped):,} left out, the first is {': '.join(self.skipped[0])}"
        if not self.rows:
            raise LayoutError(f"no image under {tree.location} can be used ({left_out}): {self.expected}")
        images = table.make_table(self.rows)
        for split in dict.fromkeys((*splits, *images["split"].dropna())):
            present = set(images["expression"][images["split"] == split])
            missing = ", ".join(name for name in classes if name not in present) if present else "any class"
            if missing:
                where = f"{tree.location} holds no image of {missing} in the split {split!r}"
                raise LayoutError(f"{where} ({left_out}): the copy is incomplete or numbered anew, get another")
        counts = Counter({"images": len(images), "subjects": images["subject"].nunique()} | self.counts)
        counts.update([*images["split"], *images["expression"]])
        expected = {what: number for what, number in (published or {}).items() if counts[what] != number}
        if expected:
            other = ", ".join(f"{what} {counts[what]:,} ({number:,} published)" for what, number in expected.items())
            self.notes.append(f"This copy does not have the published numbers: {other}.")
        if self.copies:
            again = "files are there a second time, byte for byte the same"
            self.notes.append(f"{len(self.copies):,} {again}, {min(self.copies)} first: one of each was read.")
        return FaceDataset(self.name, tree.location, images, table.skipped_images(self.skipped), tuple(self.notes))

    def _list_the_rest(self) -> None:
        """List every file as left out that may be an image and was not dealt with."""
        known = {row["image"] for row in self.rows} | {name for name, _ in self.skipped} | self.passed_over
        for name in sorted(set(self.tree.names) - known - self.copies):
            suffix, is_title = PurePosixPath(name).suffix.lower(), PurePosixPath(name).name.isupper()
            if suffix in IMAGE_SUFFIXES:
                self.skip(name, "lies where this layout has no image, or nothing names it")
            elif suffix not in DOCUMENTS and (suffix or not is_title):  # README and LICENSE are no images
                self.skip(name, f"has none of the suffixes that are read: {' '.join(IMAGE_SUFFIXES)}")
