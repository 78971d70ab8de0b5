#!/usr/bin/env bash
# Check the entries that a branch changes; a branch that changes none runs none.
#
#     scripts/ci/check_changed.sh BASE [FOLDER]
#
# BASE is a commit (origin/main). FOLDER gets check.html, check.json and check.md, which is safe to post as a comment.
# $ZOO is the command; the default installs what is needed. Exit code: that of `zoo check`.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${1:?"usage: scripts/ci/check_changed.sh BASE [FOLDER]"}
folder=${2:-check-report}
zoo=${ZOO:-python3 scripts/bootstrap.py run --}
mkdir -p "$folder"
code=0
$zoo check --changed "$base" --level reproduces \
  --report "$folder/check.md" --report "$folder/check.json" --report "$folder/check.html" || code=$?
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$folder/check.md" ]; then
  cat "$folder/check.md" >> "$GITHUB_STEP_SUMMARY"
fi
exit "$code"
