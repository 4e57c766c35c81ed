#!/usr/bin/env python3
"""Fetches tokens from the embedded issuer as partners' programs do, checks what comes back, and
revokes them.

    fetch_tokens.py [--resolve HOST=ADDRESS] [--assertion-key FILE]
        TOKEN_URL CA_FILE CERTIFICATE KEY CLIENT_ID SCOPE PROBE_URL

TOKEN_URL is the token endpoint, https://HOST:PORT/oauth2/token, whose scheme and authority must be
the issuer's name. SCOPE is a list with spaces; an empty one is left out of the requests. Once a
token is revoked, a request to PROBE_URL with it must be refused.
--resolve connects to ADDRESS where HOST is meant, as curl does. With --assertion-key the client
authenticates by private_key_jwt: assertions signed by that key (PEM) with ES256.

One line per step on standard output. Exits with 1 at the first step that fails, and says which on
standard error. No token is ever printed.
"""

import argparse
import base64
import hashlib
import os
import socket
import sys
import time
from urllib.parse import urlsplit

# Nothing around this script decides whom it trusts: requests would take these before its argument.
for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(variable, None)

import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

DEADLINE_S = 20


class Failed(Exception):
    """A check that did not hold."""


def require(holds, what):
    if not holds:
        raise Failed(what)


def resolve(host, address):
    """Connections to `host` go to `address`, whatever name service says."""
    system = socket.getaddrinfo

    def getaddrinfo(asked, *rest, **named):
        if isinstance(asked, bytes):
            asked = asked.decode()
        return system(address if asked == host else asked, *rest, **named)

    socket.getaddrinfo = getaddrinfo


ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def fetch_by_authlib(options):
    # authlib knows no tls_client_auth by name. "none" is what that is on the wire: the client_id
    # in the form, and no other credential in the request than the certificate.
    method, key = "none", None
    if options.assertion_key:
        method, key = "private_key_jwt", ec_key(options)
    with AuthlibSession(
        client_id=options.client_id,
        client_secret=key,
        token_endpoint_auth_method=method,
        scope=options.scope or None,
    ) as session:
        session.trust_env = False
        # Of itself authlib makes assertions for an hour, and the issuer takes them for minutes.
        claims = {"exp": int(time.time()) + 60}
        session.register_client_auth_method(PrivateKeyJWT(claims=claims, alg="ES256"))
        return session.fetch_token(
            options.token_url,
            grant_type="client_credentials",
            verify=options.ca,
            cert=(options.certificate, options.key),
            timeout=DEADLINE_S,
        )


def revoke_by_authlib(options, url, token):
    method, key = "none", None
    if options.assertion_key:
        method, key = "private_key_jwt", ec_key(options)
    with AuthlibSession(
        client_id=options.client_id,
        client_secret=key,
        revocation_endpoint_auth_method=method,
    ) as session:
        session.trust_env = False
        claims = {"exp": int(time.time()) + 60}
        session.register_client_auth_method(PrivateKeyJWT(claims=claims, alg="ES256"))
        return session.revoke_token(
            url,
            token=token,
            token_type_hint="access_token",
            verify=options.ca,
            cert=(options.certificate, options.key),
            timeout=DEADLINE_S,
        )


def revoke_by_oauthlib(options, url, token):
    client = BackendApplicationClient(client_id=options.client_id)
    fields = dict(client_id=options.client_id, **asserted(options))
    url, headers, body = client.prepare_token_revocation_request(url, token, **fields)
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            url,
            headers=headers,
            data=body,
            verify=options.ca,
            cert=(options.certificate, options.key),
            timeout=DEADLINE_S,
            allow_redirects=False,
        )


def fetch_by_requests_oauthlib(options):
    scope = options.scope.split() or None
    client = BackendApplicationClient(client_id=options.client_id, scope=scope)
    with OAuth2Session(client=client, scope=scope) as session:
        session.trust_env = False
        return session.fetch_token(
            options.token_url,
            include_client_id=True,
            verify=options.ca,
            cert=(options.certificate, options.key),
            timeout=DEADLINE_S,
            **asserted(options),
        )


def asserted(options):
    """The parameters of an assertion, where the client authenticates by one."""
    if not options.assertion_key:
        return {}
    assertion = sign_jwt_bearer_assertion(
        ec_key(options),
        options.client_id,
        options.issuer,
        subject=options.client_id,
        expires_in=60,
        alg="ES256",
    )
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def ec_key(options):
    with open(options.assertion_key, "rb") as file:
        return ECKey.import_key(file.read())


def get_json(options, url):
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            url,
            verify=options.ca,
            cert=(options.certificate, options.key),
            timeout=DEADLINE_S,
            allow_redirects=False,
        )
    require(answer.status_code == 200, f"{url} answered {answer.status_code}")
    kind = answer.headers.get("content-type", "").split(";")[0].strip()
    require(kind == "application/json", f"{url} has the content type {kind!r}")
    return answer.json()


def values(scope):
    """The values of a scope; both libraries may have made a list of it."""
    return set(scope.split() if isinstance(scope, str) else scope)


def check_response(options, response):
    kind = response.get("token_type")
    require(isinstance(kind, str) and kind.lower() == "bearer", f"token_type is {kind!r}")
    lifetime_s = response.get("expires_in")
    whole = isinstance(lifetime_s, int) and not isinstance(lifetime_s, bool)
    require(whole and lifetime_s > 0, f"expires_in is {lifetime_s!r}")
    granted = values(response.get("scope") or "")
    require(granted, "scope is missing")
    if options.scope:
        require(granted == values(options.scope), f"scope is {sorted(granted)}")
    token = response.get("access_token")
    require(isinstance(token, str) and token.count(".") == 2, "access_token is not a JWT")
    return f"Bearer, {lifetime_s} s, {' '.join(sorted(granted))}"


def check_metadata(options, metadata):
    issuer = options.issuer
    validator = AuthorizationServerMetadata(metadata)
    validator.validate()
    require(metadata["issuer"] == issuer, f"issuer is {metadata['issuer']!r}, not {issuer!r}")
    require(metadata["token_endpoint"] == options.token_url, "token_endpoint is another URL")
    for member, value in (
        ("grant_types_supported", "client_credentials"),
        ("token_endpoint_auth_methods_supported", "tls_client_auth"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ("token_endpoint_auth_signing_alg_values_supported", "ES256"),
        ("introspection_endpoint_auth_methods_supported", "private_key_jwt"),
        ("revocation_endpoint_auth_methods_supported", "tls_client_auth"),
        ("revocation_endpoint_auth_methods_supported", "private_key_jwt"),
        ("authorization_details_types_supported", "t8_access"),
    ):
        require(value in metadata.get(member, []), f"{member} lacks {value}")
    require(
        metadata.get("tls_client_certificate_bound_access_tokens") is True,
        "the metadata does not say that tokens are bound to certificates",
    )
    return f"{issuer}, response_types_supported {metadata['response_types_supported']}"


def check_keys(keys):
    require(len(keys.get("keys", [])) == 1, "the key set has not exactly one key")
    key = keys["keys"][0]
    require("d" not in key, "THE KEY SET HOLDS A PRIVATE KEY")
    key_set = KeySet.import_key_set(keys)
    require(key["kid"] == key_set.keys[0].thumbprint(), "kid is not the RFC 7638 thumbprint")
    return key_set, f"{key['kty']} {key['crv']}, kid is its thumbprint"


def check_token(options, response, key_set):
    token = jwt.decode(response["access_token"], key_set, algorithms=["ES256"])
    require(token.header.get("typ") == "at+jwt", f"typ is {token.header.get('typ')!r}")
    claims = token.claims
    jwt.JWTClaimsRegistry(
        now=int(time.time()),
        leeway=30,
        iss={"essential": True, "value": options.issuer},
        sub={"essential": True, "value": options.client_id},
        client_id={"essential": True, "value": options.client_id},
        aud={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
    ).validate(claims)
    lifetime_s = claims["exp"] - claims["iat"]
    require(lifetime_s == response["expires_in"], "exp and expires_in disagree")
    require(values(claims["scope"]) == values(response["scope"]), "two scopes in one response")
    with open(options.certificate, "rb") as file:
        certificate = x509.load_pem_x509_certificate(file.read()).public_bytes(Encoding.DER)
    digest = base64.urlsafe_b64encode(hashlib.sha256(certificate).digest())
    bound = claims.get("cnf", {}).get("x5t#S256")
    require(bound == digest.decode().rstrip("="), "the token is bound to another certificate")
    return "ES256 signature and claims hold, bound to the certificate"


def check_revoked(options, answer, token):
    require(answer.status_code == 200, f"the revocation is answered {answer.status_code}")
    with requests.Session() as session:
        session.trust_env = False
        refused = session.get(
            options.probe_url,
            headers={"Authorization": f"Bearer {token}"},
            verify=options.ca,
            cert=(options.certificate, options.key),
            timeout=DEADLINE_S,
            allow_redirects=False,
        )
    require(refused.status_code == 401, f"it is answered {refused.status_code} afterwards")
    challenge = refused.headers.get("www-authenticate", "")
    require('error="invalid_token"' in challenge, f"it is challenged by {challenge!r}")
    return "200, and refused from then on"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resolve", metavar="HOST=ADDRESS", action="append", default=[])
    parser.add_argument("--assertion-key", metavar="FILE")
    for name in ("token_url", "ca", "certificate", "key", "client_id", "scope", "probe_url"):
        parser.add_argument(name)
    options = parser.parse_args()
    url = urlsplit(options.token_url)
    options.issuer = f"{url.scheme}://{url.netloc}"
    for pair in options.resolve:
        host, found, address = pair.partition("=")
        if not found:
            parser.error("--resolve takes HOST=ADDRESS")
        resolve(host, address)
    return options


def main():
    options = arguments()
    step = "start"
    try:
        responses = []
        for library, fetch in (
            ("authlib", fetch_by_authlib),
            ("requests-oauthlib", fetch_by_requests_oauthlib),
        ):
            step = f"fetch a token with {library}"
            response = fetch(options)
            print(f"ok   {step}: {check_response(options, response)}", flush=True)
            responses.append((library, response))
        step = "authlib's validator of RFC 8414 metadata"
        metadata = get_json(options, get_well_known_url(options.issuer, external=True))
        print(f"ok   {step}: {check_metadata(options, metadata)}", flush=True)
        step = "read the key set"
        key_set, told = check_keys(get_json(options, metadata["jwks_uri"]))
        print(f"ok   {step}: {told}", flush=True)
        for library, response in responses:
            step = f"verify the token of {library} with joserfc"
            print(f"ok   {step}: {check_token(options, response, key_set)}", flush=True)
        endpoint = metadata["revocation_endpoint"]
        for (library, response), revoke in zip(responses, (revoke_by_authlib, revoke_by_oauthlib)):
            step = f"revoke the token of {library}"
            token = response["access_token"]
            answer = revoke(options, endpoint, token)
            print(f"ok   {step}: {check_revoked(options, answer, token)}", flush=True)
    # Libraries fail in their own ways; each of them is a step that failed.
    except Exception as fault:
        print(f"FAIL {step}: {type(fault).__name__}: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
