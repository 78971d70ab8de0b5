"""Path to ``planted.py``; what is planted and found is in the conftest above."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
