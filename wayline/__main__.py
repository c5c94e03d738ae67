"""``python -m wayline`` is the command ``wayline``."""

from wayline.cli import main

main()
