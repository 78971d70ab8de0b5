#!/usr/bin/env bash
# Check all entries: their files, addresses, behaviour and examples; metrics where FOLDER_OF_DATA is given.
#
#     scripts/ci/check_all.sh [FOLDER] [FOLDER_OF_DATA]
#
# FOLDER gets check.html, check.json and check.md. Weights that are not here are fetched. Exit code: that of `zoo check`.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-check-report}
zoo=${ZOO:-python3 scripts/bootstrap.py run --}
level=${LEVEL:-reproduces}
mkdir -p "$folder"
code=0
$zoo check --level "$level" --urls --memory 8 ${2:+--data "$2"} \
  --report "$folder/check.md" --report "$folder/check.json" --report "$folder/check.html" || code=$?
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$folder/check.md" ]; then
  cat "$folder/check.md" >> "$GITHUB_STEP_SUMMARY"
fi
exit "$code"
