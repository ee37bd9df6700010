#!/usr/bin/env bash
# Imitates the last stage of the container: its files in a folder that is the read-only root of a plain
# user, with one folder to write to. Usage: container.sh PROGRAM FOLDER. Needs root and namespaces.
set -euo pipefail
program=$1 folder=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packaging=$(cd "$here/../../packaging" && pwd)

# What COPY and RUN of the Dockerfile make, and the libraries that its base image has.
mkdir -p "$folder"/{usr/bin,etc/deskplane,run/secrets/deskplane,var/lib/deskplane,dev,proc,tmp}
install -m 755 "$program" "$folder/usr/bin/deskplane"
install -m 644 "$packaging/container/deskplane.toml" "$folder/etc/deskplane/"
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    install -D "$(realpath "$library")" "$folder$library"
done

# What a container engine makes.
printf '127.0.0.1 localhost\n' > "$folder/etc/hosts"
# What is mounted: a certificate for localhost, whose key root owns and the group of the user may read.
tls=$folder/run/secrets/deskplane
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -keyout "$folder/../ca.key" -out "$tls/ca.crt" 2> /dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
    -keyout "$tls/tls.key" -out "$folder/../tls.csr" 2> /dev/null
openssl x509 -req -in "$folder/../tls.csr" -CA "$tls/ca.crt" -CAkey "$folder/../ca.key" -days 2 \
    -extfile <(printf 'subjectAltName=DNS:localhost') -out "$tls/tls.crt" 2> /dev/null
chown 0:7700 "$tls"/*
chmod 440 "$tls"/*

# USER, ENV, HEALTHCHECK and CMD as the Dockerfile states them.
stated() { # instruction
    sed -n "s/^ *$1 \(.*\)/\1/p" "$packaging/container/Dockerfile" | tail -n 1
}
user=$(stated USER)
environment=$(stated ENV)
words() { # a list in JSON
    python3 -c 'import json, sys; print("\n".join(json.loads(sys.argv[1])))' "$1"
}
mapfile -t entrypoint < <(words "$(stated ENTRYPOINT)")
mapfile -t command < <(words "$(grep '^CMD' "$packaging/container/Dockerfile" | sed 's/^CMD //')")
mapfile -t health < <(words "$(grep '^    CMD' "$packaging/container/Dockerfile" | sed 's/^    CMD //')")

# Runs a program there, with nothing in its environment but what ENV states.
inside() {
    # shellcheck disable=SC2086
    exec env -i $environment "$chroot" --userspec="$user" "$folder" "$@"
}
chroot=$(command -v chroot)
export -f inside
export chroot environment folder user

# shellcheck disable=SC2016
unshare --mount --net bash -euo pipefail -c '
    ip link set lo up
    mount --bind "$folder" "$folder"
    mount -o remount,bind,ro "$folder"
    mount -t tmpfs -o mode=0700,uid="${user%:*}",gid="${user#*:}" tmpfs "$folder/var/lib/deskplane"
    mount --bind /proc "$folder/proc"
    count=$1 ends=$2
    shift 2
    serve=("${@:1:count}") health=("${@:count+1}")
    ! (inside /usr/bin/deskplane descriptors --out /etc/x) 2> /dev/null ||
        { echo "the root can be written"; exit 1; }
    inside "${serve[@]}" > "$ends.log" 2>&1 &
    server=$!
    for turn in $(seq 300); do
        (inside "${health[@]}") > "$ends.health" 2>&1 && break
        kill -0 "$server" || { cat "$ends.log"; exit 1; }
        sleep 0.1
    done
    (inside "${health[@]}")
    ! (inside /usr/bin/deskplane list users) > "$ends.call" 2>&1 || { echo "anybody may call"; exit 1; }
    grep -q CREDENTIAL_REQUIRED "$ends.call" || { cat "$ends.call"; exit 1; }
    kill -TERM "$server"
    wait "$server" || { cat "$ends.log"; exit 1; }
    ! (inside "${health[@]}") 2> /dev/null || { echo "what has ended is healthy"; exit 1; }
' container "$((${#entrypoint[@]} + ${#command[@]}))" "$folder/../container-end" \
    "${entrypoint[@]}" "${command[@]}" "${health[@]}"
