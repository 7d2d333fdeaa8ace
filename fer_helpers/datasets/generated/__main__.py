"""`python -m fer_helpers.datasets.generated`."""

from fer_helpers.datasets.generated import main

main()
