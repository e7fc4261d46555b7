#!/usr/bin/env bash
# Installs the other scanners at pinned versions into a folder, with pip and npm and nothing else.
# No install script of any package is run.
#
# usage: setup.sh FOLDER
set -euo pipefail
folder=${1:?usage: setup.sh FOLDER}
stamp="cisco-ai-mcp-scanner 4.8.7, yara-python 4.5.4, yara-x 1.23.0, agent-threat-rules 4.0.0"
mkdir -p "$folder"
if [[ -f $folder/installed && $(<"$folder/installed") == "$stamp" ]]; then
    exit 0
fi
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    cisco-ai-mcp-scanner==4.8.7 yara-python==4.5.4 yara-x==1.23.0
npm install --prefix "$folder" --ignore-scripts --no-save --no-audit --no-fund --loglevel=error \
    agent-threat-rules@4.0.0
echo "$stamp" >"$folder/installed"
