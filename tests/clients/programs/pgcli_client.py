"""pgcli at a terminal of its own: its completions, its backslash commands, and Ctrl-C."""

import re
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
