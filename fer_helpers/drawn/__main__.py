"""Draw data sets from the command line: `python -m fer_helpers.drawn fer2013`."""

import argparse
import sys

from fer_helpers.drawn import ensure, layouts

parser = argparse.ArgumentParser(prog="python -m fer_helpers.drawn", description="Draw data sets of faces.")
parser.add_argument("names", nargs="+", choices=layouts.LAYOUTS, metavar="NAME", help=", ".join(layouts.LAYOUTS))
try:
    for name in parser.parse_args().names:
        print(f"{name}: {ensure(name)}")
except (OSError, RuntimeError) as error:  # a full disk, or FER_CACHE_DIR in the home folder of nobody
    sys.exit(f"FER_CACHE_DIR: {error}")
