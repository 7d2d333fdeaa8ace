"""`python -m fer_helpers.drawn`."""

from fer_helpers.drawn import main

main()
