#!/usr/bin/env bash
# Runs NSS softoken until it is killed: a PKCS#11 implementation that has nothing in common with
# SoftHSM, to see what a token may do otherwise. It wants to be initialized in a way of its own,
# which p11-kit knows, so p11-kit serves its token over a Unix socket. For tests, never for
# production.
#
#   hsm/softokn.sh DIR
#
# DIR must not exist; it gets the token "t8gate-nss" without keys, and its user PIN in DIR/pin.
# Where to reach it goes to stdout, talk to stderr. It serves when DIR/socket is there.
set -eu

say() { printf '%s\n' "$*" >&2; }
die() { say "softokn.sh: $*"; exit 1; }

[ $# -eq 1 ] || die "usage: softokn.sh DIR"
install="apt-get install libnss3-tools p11-kit p11-kit-modules"
for tool in certutil p11-kit setpriv; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is missing: $install"
done
first() {
    for candidate; do
        if [ -f "$candidate" ]; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "none of $* is here: $install"
}
softoken=$(first /usr/lib/*/libsoftokn3.so /usr/lib/*/nss/libsoftokn3.so /usr/lib64/libsoftokn3.so)
module=$(first /usr/lib/*/pkcs11/p11-kit-client.so /usr/lib64/pkcs11/p11-kit-client.so)

mkdir "$1" || die "$1 cannot be made"
dir=$(cd "$1" && pwd)
case $dir in *[\'\"\\\ ]*) die "DIR contains a quote, backslash or space" ;; esac

mkdir -p "$dir/db" "$dir/config/pkcs11/modules"
(umask 077 && openssl rand -hex 8 >"$dir/pin")
certutil -N -d "sql:$dir/db" -f "$dir/pin" >&2
# Of this user's configuration alone, whatever other modules the machine has.
echo "user-config: only" >"$dir/config/pkcs11/pkcs11.conf"
printf "module: %s\nx-init-reserved: configdir='sql:%s' certPrefix='' keyPrefix='' %s\n" \
    "$softoken" "$dir/db" "secmod='secmod.db' dbTokenDescription='t8gate-nss' flags=" \
    >"$dir/config/pkcs11/modules/softoken.module"

printf 'export P11_KIT_SERVER_ADDRESS=unix:path=%s\n# module: %s\n' "$dir/socket" "$module"
serve=(env "XDG_CONFIG_HOME=$dir/config" p11-kit server --foreground --name "$dir/socket"
    "pkcs11:token=t8gate-nss")
if [ "$(id -u)" -eq 0 ]; then
    # p11-kit reads no user's configuration where the user is root.
    chown -R nobody "$dir/db"
    chown nobody "$dir"
    serve=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "${serve[@]}")
fi
# What it would print is said above.
exec "${serve[@]}" >/dev/null
