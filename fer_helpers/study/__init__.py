"""What runs the notebooks and judges their numbers; no training depends on anything here."""

import sys

# jsonschema, which nbformat imports, would compile a grammar of web addresses for two seconds; nothing here checks one.
sys.modules.setdefault("rfc3987_syntax", None)
