#!/usr/bin/env bash
# Makes a SoftHSM token whose server key is generated inside it, a test PKI around it, and what
# else a developer needs to run t8gate. For desks, tests and CI: never for production.
#
#   hsm/softhsm.sh DIR [--kind ec256|ec384|rsa2048|rsa3072]... [--cn NAME] [--san DNS]
#
# The first --kind (default ec256) is the server key "t8gate-server", id 01. Each further one is
# "t8gate-server-KIND", id 02 and on, with the certificate server-KIND.pem.
# A DIR made by this script before is used again as it is; any other existing DIR is refused.
# What to put where goes to stdout, talk to stderr.
set -eu
umask 077

say() { printf '%s\n' "$*" >&2; }
die() { say "softhsm.sh: $*"; exit 1; }
usage() { die "usage: softhsm.sh DIR [--kind ec256|ec384|rsa2048|rsa3072]... [--cn NAME] [--san DNS]"; }

dir= kinds= cn=t8gate.example.test san=
while [ $# -gt 0 ]; do
    case $1 in
        --kind | --cn | --san) [ $# -ge 2 ] || usage ;;
    esac
    case $1 in
        --kind)
            case $2 in
                ec256 | ec384 | rsa2048 | rsa3072) ;;
                *) usage ;;
            esac
            case " $kinds " in *" $2 "*) die "--kind $2 twice" ;; esac
            kinds="$kinds $2"; shift 2 ;;
        --cn) cn=$2; shift 2 ;;
        --san) san=$2; shift 2 ;;
        -*) usage ;;
        *) [ -z "$dir" ] || usage; dir=$1; shift ;;
    esac
done
[ -n "$dir" ] || usage
[ -n "$kinds" ] || kinds=ec256
[ -n "$san" ] || san=$cn
# These go into openssl configuration lines.
case $cn$san in *[!A-Za-z0-9.-]*) die "--cn and --san take letters, digits, dots and dashes" ;; esac

for tool in softhsm2-util pkcs11-tool openssl; do
    command -v "$tool" >/dev/null 2>&1 ||
        die "$tool is missing: apt-get install softhsm2 opensc openssl"
done
module=
for candidate in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    /usr/lib64/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so \
    /usr/local/lib/softhsm/libsofthsm2.so; do
    [ -z "$module" ] && [ -f "$candidate" ] && module=$candidate
done
[ -n "$module" ] || die "libsofthsm2.so is missing: apt-get install softhsm2 opensc openssl"

report() {
    printf 'export SOFTHSM2_CONF=%s\n' "$dir/softhsm2.conf"
    printf '# module: %s\n\n' "$module"
    sed -n '/^\[tls.key\]/,/^$/p' "$dir/developer.toml"
}

if [ -e "$dir" ]; then
    [ -f "$dir/.t8gate-softhsm" ] || die "$dir exists and was not made by this script"
    dir=$(cd "$dir" && pwd)
    say "softhsm.sh: $dir is used again as it is"
    report
    exit 0
fi
mkdir -p "$dir"
chmod 0700 "$dir"
dir=$(cd "$dir" && pwd)
case $dir in *[\"\\]*) die "DIR contains a quote or backslash" ;; esac
log=$dir/softhsm.log

# ---- the token ------------------------------------------------------------------------------
mkdir "$dir/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
    "$dir/tokens" >"$dir/softhsm2.conf"
export SOFTHSM2_CONF="$dir/softhsm2.conf"
openssl rand -hex 8 >"$dir/pin"
openssl rand -hex 16 >"$dir/so-pin"
# By environment, not by argument: arguments are visible to every user of the machine. That is
# also why the token is made by pkcs11-tool: softhsm2-util takes PINs as arguments only.
T8GATE_PIN=$(cat "$dir/pin")
T8GATE_SO_PIN=$(cat "$dir/so-pin")
export T8GATE_PIN T8GATE_SO_PIN
p11() { pkcs11-tool --module "$module" "$@" >>"$log" 2>&1 || { tail -5 "$log" >&2; die "pkcs11-tool $1 failed"; }; }

p11 --init-token --slot-index 0 --label t8gate --so-pin env:T8GATE_SO_PIN
p11 --init-pin --token-label t8gate --login --login-type so \
    --so-pin env:T8GATE_SO_PIN --new-pin env:T8GATE_PIN

# ---- certification authorities and certificates -----------------------------------------------
ssl() { openssl "$@" >>"$log" 2>&1 || { tail -5 "$log" >&2; die "openssl $1 failed"; }; }
ec_key() { ssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

ca() { # NAME SUBJECT
    ec_key "$dir/$1.key.pem"
    cat >"$dir/$1.cnf" <<CNF
[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
O = t8gate test
CN = $2
[ext]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF
    ssl req -new -x509 -sha256 -days 3650 -config "$dir/$1.cnf" -key "$dir/$1.key.pem" \
        -out "$dir/$1.pem"
    rm "$dir/$1.cnf"
}

issue() { # CA NAME PUBLIC-KEY CN SAN PURPOSE
    cat >"$dir/$2.ext" <<CNF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = $6
subjectAltName = DNS:$5
crlDistributionPoints = URI:http://crl.example.test/t8gate.crl
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CNF
    # A request must be signed, and the token's key stays where it is: so it is made by a key
    # that is thrown away, and the certificate gets the token's public key in its place.
    ec_key "$dir/$2.request.key"
    ssl req -new -sha256 -subj "/O=t8gate test/CN=$4" -key "$dir/$2.request.key" -out "$dir/$2.request"
    ssl x509 -req -sha256 -days 825 -in "$dir/$2.request" -force_pubkey "$3" \
        -CA "$dir/$1.pem" -CAkey "$dir/$1.key.pem" -set_serial "0x$(openssl rand -hex 15 | sed 's/^./4/')" \
        -extfile "$dir/$2.ext" -out "$dir/$2.pem"
    rm "$dir/$2.ext" "$dir/$2.request" "$dir/$2.request.key"
}

ca server-ca "t8gate test server CA"
ca client-ca "t8gate test client CA"

public_key() { # ID KIND FILE: the token's public key as DER of SubjectPublicKeyInfo
    # Some releases of pkcs11-tool cannot read out a P-384 key, but all list its point.
    case $2 in
        ec256) head=3059301306072a8648ce3d020106082a8648ce3d030107034200 ;;
        ec384) head=3076301006072a8648ce3d020106052b81040022036200 ;;
        *)
            p11 --read-object --token-label t8gate --type pubkey --id "$1" --output-file "$3"
            return ;;
    esac
    # --list-objects takes no notice of --id: the point is the one above that id. The two octets
    # of the OCTET STRING's head are taken off.
    body=$(pkcs11-tool --module "$module" --token-label t8gate --list-objects --type pubkey \
        2>>"$log" | awk -v id="$1" '
            $1 == "EC_POINT:" { point = substr($2, 5) }
            $1 == "ID:" && $2 == id { print point }')
    [ -n "$body" ] || die "pkcs11-tool does not list the point of key $1"
    # shellcheck disable=SC2059 # the format is the octets
    printf "$(printf '%s' "$head$body" | sed 's/../\\x&/g')" >"$3"
}

number=0
for kind in $kinds; do
    number=$((number + 1))
    id=$(printf '%02x' "$number")
    case $number in
        1) label=t8gate-server name=server ;;
        *) label=t8gate-server-$kind name=server-$kind ;;
    esac
    case $kind in
        ec256) type=EC:prime256v1 ;;
        ec384) type=EC:secp384r1 ;;
        rsa2048) type=rsa:2048 ;;
        rsa3072) type=rsa:3072 ;;
    esac
    # Without --extractable the private key cannot leave the token; --sensitive says so twice.
    p11 --keypairgen --token-label t8gate --login --pin env:T8GATE_PIN --key-type "$type" \
        --label "$label" --id "$id" --usage-sign --sensitive
    public_key "$id" "$kind" "$dir/$name.pub.der"
    ssl pkey -pubin -inform DER -in "$dir/$name.pub.der" -out "$dir/$name.pub.pem"
    issue server-ca "$name" "$dir/$name.pub.pem" "$cn" "$san" serverAuth
    rm "$dir/$name.pub.der"
done

ec_key "$dir/client.key.pem"
ssl pkey -in "$dir/client.key.pem" -pubout -out "$dir/client.pub.pem"
issue client-ca client "$dir/client.pub.pem" scs-1 scs-1.example.test clientAuth
rm "$dir/client.pub.pem"

# ---- the keys that access tokens are signed with ----------------------------------------------
ec_key "$dir/issuer.key.pem"
ssl pkey -in "$dir/issuer.key.pem" -pubout -out "$dir/issuer.pub.pem"
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# The last 64 octets of a P-256 SubjectPublicKeyInfo are the point's two coordinates.
point() { openssl pkey -pubin -in "$dir/issuer.pub.pem" -outform DER | tail -c 64; }
x=$(point | head -c 32 | base64url)
y=$(point | tail -c 32 | base64url)
printf '{"keys":[{"kty":"EC","crv":"P-256","kid":"test-1","use":"sig","alg":"ES256","x":"%s","y":"%s"}]}\n' \
    "$x" "$y" >"$dir/jwks.json"

cat >"$dir/developer.toml" <<TOML
# Made by hsm/softhsm.sh. Run with SOFTHSM2_CONF="$dir/softhsm2.conf".
[listen]
address = "127.0.0.1:8443"
cpus = [0]
server_names = ["$san"]

[tls]
certificate = "$dir/server.pem"
client_ca = "$dir/client-ca.pem"

[tls.key]
module = "$module"
uri = "pkcs11:token=t8gate;object=t8gate-server;type=private"
pin_file = "$dir/pin"
sessions = 2

[[issuer]]
name = "https://issuer.example.test"
audience = "https://t8gate.example.test"
jwks = "$dir/jwks.json"

[[client]]
name = "scs-1"
client_id = "scs-1"
sans = ["dns:scs-1.example.test"]
scs_as_ids = ["scs-1"]

[upstream]
address = "127.0.0.1:8080"
TOML

: >"$dir/.t8gate-softhsm"
say "softhsm.sh: made $dir"
report
