#!/usr/bin/env bash
# Runs a script on what looks like a machine of its own: folder /srv, network, and two names of hosts.
# Usage: inside.sh WORK SOURCE SCRIPT NODE PACKAGES, with namespaces of its own for mounts and network.
set -euo pipefail
work=$1 source=$2 script=$3 node=$4 packages=$5

ip link set lo up
mount -t tmpfs -o mode=0755 tmpfs /srv
mount --bind "$work/hosts" /etc/hosts
# What the machine trusts.
export SSL_CERT_FILE=$work/authorities
"$node" "$packages/deployment.mjs" "$work/login.crt" "$work/login.key" "$work/keys.json" \
    > "$work/issuer.log" 2>&1 &
issuer=$!
trap 'kill "$issuer" 2> /dev/null || true; [[ ! -f /srv/deskplane/server.pid ]] || kill "$(cat /srv/deskplane/server.pid)" 2> /dev/null || true' EXIT
for _ in $(seq 200); do
    grep -q listening "$work/issuer.log" && break
    kill -0 "$issuer" || { cat "$work/issuer.log"; exit 1; }
    sleep 0.1
done
cd "$source"
if ! timeout 300 env -i PATH="$PATH" SSL_CERT_FILE="$SSL_CERT_FILE" DESKPLANE_STORE__MIN_FREE_MIB=0 \
    bash -eu -o pipefail "$script"; then
    cat /srv/deskplane/server.log
    exit 1
fi
