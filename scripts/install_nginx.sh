#!/usr/bin/env bash
# Installs nginx from Debian where it is missing. Says so, and fails, where that cannot be done.
set -euo pipefail

# Debian has it in a folder that is not on everybody's path.
PATH="$PATH:/usr/sbin"
if command -v nginx >/dev/null; then
    exit 0
fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "nginx is not installed. As root, with apt-get, this script installs it: sudo $0" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends nginx-light >/dev/null
