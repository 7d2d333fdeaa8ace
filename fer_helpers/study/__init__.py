"""What runs the notebooks and judges their numbers; no training depends on anything here."""
