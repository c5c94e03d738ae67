#!/usr/bin/env bash
# Installs the SQL clients that are not Python packages of ours: from Debian, from npm, and those with pins of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=()
command -v psql >/dev/null || wanted+=(postgresql-client)
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || wanted+=(postgresql)
compgen -G "/usr/lib/*/odbc/psqlodbcw.so" >/dev/null || wanted+=(odbc-postgresql unixodbc)
[ -e /usr/share/java/postgresql.jar ] || wanted+=(libpostgresql-jdbc-java)
command -v javac >/dev/null || wanted+=(default-jdk-headless)
command -v npm >/dev/null || wanted+=(nodejs npm)
if [ ${#wanted[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${wanted[@]}" >/dev/null
fi

lock=tests/clients/node/package-lock.json
if [ ! tests/clients/node/node_modules -nt $lock ]; then
    npm ci --prefix tests/clients/node --no-audit --no-fund --silent
    touch tests/clients/node/node_modules
fi

needed=tests/clients/requirements.txt
if [ ! .venv-clients/.ready -nt $needed ]; then
    "${PYTHON:-python3}" -m venv .venv-clients
    .venv-clients/bin/python -m pip install --quiet --disable-pip-version-check -r $needed
    touch .venv-clients/.ready
fi
