#!/usr/bin/env bash
# Prints an access token for the client that softhsm.sh made: valid for an hour, bound to the
# client's certificate, signed by the issuer key beside it. For trying the gateway out; a real
# deployment has an authorization server.
#
#   hsm/token.sh DIR [SCOPE]
set -euo pipefail

usage="usage: hsm/token.sh DIR [SCOPE], where DIR was made by hsm/softhsm.sh"
dir=${1:?$usage}
scope=${2:-3gpp-monitoring-event 3gpp-nidd 3gpp-device-triggering}
if [[ ! -f $dir/issuer.key.pem || ! -f $dir/client.pem ]]; then
    echo "$dir holds no issuer key or client certificate" >&2
    echo "hint: hsm/softhsm.sh $dir makes them" >&2
    exit 1
fi
if [[ $scope =~ [\"\\] ]]; then
    echo "a scope has neither quotes nor backslashes" >&2
    exit 1
fi

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

now=$(date +%s)
thumbprint=$(openssl x509 -in "$dir/client.pem" -outform DER | openssl dgst -sha256 -binary |
    base64url)
header=$(printf '{"alg":"ES256","typ":"at+jwt","kid":"test-1"}' | base64url)
claims=$(printf '{"iss":"%s","aud":"%s","sub":"%s","client_id":"%s","iat":%d,"exp":%d,' \
    https://issuer.example.test https://t8gate.example.test scs-1 scs-1 "$now" $((now + 3600)) &&
    printf '"jti":"%s","scope":"%s","cnf":{"x5t#S256":"%s"}}' \
        "$(openssl rand -hex 16)" "$scope" "$thumbprint")
claims=$(printf '%s' "$claims" | base64url)

# JWS wants the two numbers of the signature as 32 octets each; OpenSSL writes them as DER.
signature=$(printf '%s.%s' "$header" "$claims" |
    openssl dgst -sha256 -sign "$dir/issuer.key.pem" | openssl asn1parse -inform DER |
    sed -n 's/.*INTEGER *:\(.*\)/\1/p' | while read -r number; do printf '%064s' "$number"; done |
    tr ' ' '0' | sed 's/../\\x&/g')
printf '%s.%s.%s\n' "$header" "$claims" "$(printf '%b' "$signature" | base64url)"
