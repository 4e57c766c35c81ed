//! The rows of requests that are refused.

use super::Row;

const fn row(word: &'static str, status: u16, title: &'static str) -> Row {
    Row {
        word,
        status,
        title,
        oauth_error: None,
        cause: "",
        detail: "",
        closes: false,
        token_endpoint: false,
        cure: "",
    }
}

//= RFC 6749 section 5.2
//# The token endpoint answers 400 with its own error codes.
const fn grant(word: &'static str, error: &'static str) -> Row {
    Row {
        oauth_error: Some(error),
        token_endpoint: true,
        ..row(word, 400, "Bad Request")
    }
}

const fn grant_by_401(word: &'static str) -> Row {
    Row {
        status: 401,
        title: "Unauthorized",
        ..grant(word, "invalid_client")
    }
}

const fn grant_by_415(word: &'static str) -> Row {
    Row {
        status: 415,
        title: "Unsupported Media Type",
        ..grant(word, "invalid_request")
    }
}

const fn grant_by_429(word: &'static str) -> Row {
    Row {
        status: 429,
        title: "Too Many Requests",
        ..grant(word, "temporarily_unavailable")
    }
}

const fn unavailable(word: &'static str) -> Row {
    Row {
        oauth_error: Some("temporarily_unavailable"),
        token_endpoint: true,
        ..row(word, 503, "Service Unavailable")
    }
}

const CLIENT_FRAMING: &str = "the client's HTTP library or something between it and the gateway \
                              writes messages that can be read in two ways";

/// The table.
pub const ROWS: [Row; 74] = [
    Row {
        cause: "HEAD_MALFORMED",
        detail: "The request head is not well-formed HTTP/1.1.",
        closes: true,
        cure: CLIENT_FRAMING,
        ..row("head_malformed", 400, "Bad Request")
    },
    Row {
        cause: "TARGET_TOO_LONG",
        detail: "The request target is longer than this server reads.",
        closes: true,
        cure: "raise limits.target_bytes_max if the client's target is legitimate",
        ..row("target_too_long", 414, "URI Too Long")
    },
    Row {
        cause: "EXPECTATION_UNKNOWN",
        detail: "Only the expectation 100-continue is known.",
        closes: true,
        cure: "the client sends an Expect field other than 100-continue",
        ..row("expectation_unknown", 417, "Expectation Failed")
    },
    Row {
        cause: "FIELDS_TOO_LARGE",
        detail: "The header fields are larger, or more, than this server reads.",
        closes: true,
        cure: "raise limits.head_bytes_max if the client's fields are legitimate",
        ..row("fields_too_large", 431, "Request Header Fields Too Large")
    },
    Row {
        cause: "VERSION_UNSUPPORTED",
        detail: "This server speaks HTTP/1.1.",
        closes: true,
        cure: "T8 asks for HTTP/1.1 at least (TS 29.122 clause 5.2.2): the client is too old",
        ..row("version_unsupported", 505, "HTTP Version Not Supported")
    },
    Row {
        cause: "HEAD_DEADLINE",
        detail: "The request head did not arrive in time.",
        closes: true,
        cure: "a slow or stalled client; many of them are an attack: see deadlines.head",
        ..row("head_deadline", 408, "Request Timeout")
    },
    Row {
        cause: "PATH_MALFORMED",
        detail: "The path can be read in more than one way.",
        closes: true,
        cure: "the client must send paths without dot segments, empty segments, encoded slashes \
               or double encoding",
        ..row("path_malformed", 400, "Bad Request")
    },
    Row {
        cause: "BODY_MALFORMED",
        detail: "The chunked request body is not well-formed.",
        closes: true,
        cure: CLIENT_FRAMING,
        ..row("body_malformed", 400, "Bad Request")
    },
    Row {
        cause: "BODY_TOO_LARGE",
        detail: "The request body is larger than this server takes.",
        closes: true,
        cure: "raise limits.body_bytes_max if the client's bodies are legitimate",
        ..row("body_too_large", 413, "Content Too Large")
    },
    Row {
        cause: "BODY_DEADLINE",
        detail: "The request body did not arrive in time.",
        closes: true,
        cure: "a slow or stalled client: see deadlines.body and deadlines.body_bytes_per_s_min",
        ..row("body_deadline", 408, "Request Timeout")
    },
    Row {
        cause: "API_UNKNOWN",
        detail: "No such API or resource.",
        cure: "the client calls an API or resource that `t8gate apis --config FILE` does not \
               list: check its apiRoot, and apis.serve",
        ..row("api_unknown", 404, "Not Found")
    },
    Row {
        cause: "METHOD_NOT_ALLOWED",
        detail: "The resource does not have this method.",
        cure: "the client uses a method that is not defined for this resource",
        ..row("method_not_allowed", 405, "Method Not Allowed")
    },
    Row {
        cause: "SCS_AS_ID_FOREIGN",
        detail: "The SCS/AS identifier in the path does not belong to the client certificate.",
        cure: "ask the client which it uses, for what a path says is recorded nowhere; add it to \
               its scs_as_ids if it is its own",
        ..row("scs_as_id_foreign", 403, "Forbidden")
    },
    Row {
        cause: "TOKEN_MISSING",
        detail: "An access token is required.",
        cure: "the client must send Authorization: Bearer with every request; another scheme is no \
               token",
        ..row("token_missing", 401, "Unauthorized")
    },
    Row {
        oauth_error: Some("invalid_request"),
        cause: "TOKEN_REPEATED",
        detail: "The request has more than one Authorization field.",
        cure: "the client sends Authorization more than once",
        ..row("token_repeated", 400, "Bad Request")
    },
    Row {
        oauth_error: Some("invalid_request"),
        cause: "TOKEN_IN_QUERY",
        detail: "Access tokens are taken from the Authorization field only.",
        cure: "the client leaks its token in the request target (RFC 6750 section 2.3)",
        ..row("token_in_query", 400, "Bad Request")
    },
    Row {
        oauth_error: Some("invalid_request"),
        cause: "AUTHORIZATION_MALFORMED",
        detail: "The Authorization field is not a bearer token.",
        cure: "the client must send Authorization: Bearer and one token",
        ..row("authorization_malformed", 400, "Bad Request")
    },
    Row {
        oauth_error: Some("invalid_token"),
        cause: "TOKEN_INVALID",
        detail: "The access token is expired, malformed or not from a known issuer.",
        cure: "the detail names the check; compare the token's claims and key with [[issuer]] or \
               [oauth]",
        ..row("token_invalid", 401, "Unauthorized")
    },
    Row {
        oauth_error: Some("invalid_token"),
        cause: "TOKEN_OF_OTHER_CERTIFICATE",
        detail: "The access token is bound to another certificate.",
        cure: "the client must fetch its token with the certificate it connects with; if it did \
               not change its certificate, the token may be stolen",
        ..row("token_of_other_certificate", 401, "Unauthorized")
    },
    Row {
        oauth_error: Some("invalid_token"),
        cause: "TOKEN_OF_OTHER_CLIENT",
        detail: "The access token was issued to another client.",
        cure: "the token's client_id must be the client_id of the client that the certificate \
               is mapped to",
        ..row("token_of_other_client", 401, "Unauthorized")
    },
    Row {
        oauth_error: Some("invalid_token"),
        cause: "CERTIFICATE_EXPIRED",
        detail: "The client certificate of this connection has expired.",
        closes: true,
        cure: "the client must renew its certificate and connect again",
        ..row("certificate_expired", 401, "Unauthorized")
    },
    Row {
        oauth_error: Some("insufficient_scope"),
        cause: "SCOPE_INSUFFICIENT",
        detail: "The access token's scope does not cover this operation on this API.",
        cure: "if it may use the API, to read (GET) or to write, grant it at the token's issuer, \
               or in the client's scopes where that is [oauth]",
        ..row("scope_insufficient", 403, "Forbidden")
    },
    Row {
        cause: "UPSTREAM_REFUSED",
        detail: "The exposure function cannot be reached.",
        cure: "the SCEF at upstream.address does not take connections",
        ..row("upstream_refused", 502, "Bad Gateway")
    },
    Row {
        cause: "UPSTREAM_CONNECT_DEADLINE",
        detail: "The exposure function did not take a connection in time.",
        cure: "the SCEF or the network to it is overloaded or gone: see deadlines.upstream_connect",
        ..row("upstream_connect_deadline", 504, "Gateway Timeout")
    },
    Row {
        cause: "UPSTREAM_CLOSED",
        detail: "The exposure function closed the connection before it answered.",
        cure: "the SCEF dropped a request: see its own log",
        ..row("upstream_closed", 502, "Bad Gateway")
    },
    Row {
        cause: "UPSTREAM_MALFORMED",
        detail: "The exposure function's answer is not well-formed HTTP/1.1.",
        cure: "the SCEF writes messages that can be read in two ways; the log names the fault",
        ..row("upstream_malformed", 502, "Bad Gateway")
    },
    Row {
        cause: "UPSTREAM_DEADLINE",
        detail: "The exposure function did not answer in time.",
        cure: "the SCEF is slow: see deadlines.upstream_response",
        ..row("upstream_deadline", 504, "Gateway Timeout")
    },
    Row {
        cause: "EXCHANGE_DEADLINE",
        detail: "The exchange took too long.",
        closes: true,
        cure: "see deadlines.exchange",
        ..row("exchange_deadline", 504, "Gateway Timeout")
    },
    Row {
        cause: "DESCRIPTORS_EXHAUSTED",
        detail: "This server is at its limit.",
        cure: "raise the limit on descriptors (ulimit -n, LimitNOFILE=)",
        ..row("descriptors_exhausted", 503, "Service Unavailable")
    },
    Row {
        cause: "AUDIT_UNWRITABLE",
        detail: "This server cannot record requests and takes none.",
        cure: "see the log for what is wrong with audit.file: a full disk, or no right to write",
        ..row("audit_unwritable", 503, "Service Unavailable")
    },
    Row {
        detail: "The request is not a form with each parameter once, or has a second client \
                 authentication.",
        cure: "the client must send grant_type and client_id as a form, once each, and \
               authenticate in one way; the log names what was wrong",
        ..grant("grant_malformed", "invalid_request")
    },
    Row {
        detail: "The client is not the one it says it is.",
        cure: "client_id and certificate must be of one [[client]]; the certificate must say what \
               its tls_client_auth_* names, or be of its self_signed_tls_client_auth, or the \
               assertion be by a key of its private_key_jwt: the log names what was wrong",
        ..grant("grant_client_foreign", "invalid_client")
    },
    Row {
        detail: "This client is not registered here.",
        cure: "give the [[client]] a tls_client_auth_* or another way to authenticate, and scopes, \
               if it may fetch tokens here",
        ..grant("grant_client_unregistered", "unauthorized_client")
    },
    Row {
        detail: "Only client_credentials is granted.",
        cure: "T8 knows the grant client_credentials only (TS 29.122 clause 6)",
        ..grant("grant_type_unsupported", "unsupported_grant_type")
    },
    Row {
        detail: "The scope is malformed or not granted to this client.",
        cure: "add the scope to the client's scopes if it may have it",
        ..grant("grant_scope_refused", "invalid_scope")
    },
    Row {
        detail: "Too many wait for a token; come again.",
        cure: "the HSM is slower than what it is asked for: raise the sessions of tls.key and \
               oauth.key",
        ..unavailable("issuer_busy")
    },
    Row {
        detail: "The token could not be signed in time; come again.",
        cure: "the HSM does not answer in time: see `t8gate check`",
        ..unavailable("issuer_deadline")
    },
    Row {
        detail: "The token could not be signed; come again.",
        cure: "the HSM did not sign with oauth.key: see the log and `t8gate check`",
        ..unavailable("issuer_failed")
    },
    Row {
        oauth_error: Some("invalid_token"),
        cause: "CLIENT_DISABLED",
        detail: "This client is disabled.",
        cure: "an operator has set enabled = false for the client: `t8gate client enable` takes \
               that back",
        ..row("client_disabled", 401, "Unauthorized")
    },
    Row {
        cause: "ISSUER_KEYS_UNKNOWN",
        detail: "The keys of the token's issuer are not known yet; come again.",
        cure: "the issuer's keys were never had, or not for issuer.keys_max_age: see the log for \
               why, and whether the place that the [[issuer]] names answers",
        ..row("issuer_keys_unknown", 503, "Service Unavailable")
    },
    Row {
        detail: "Clients do not authenticate in an Authorization field here.",
        cure: "the client must authenticate by the one way that its [[client]] names: its \
               certificate, or an assertion in the form",
        ..grant_by_401("grant_authorization_refused")
    },
    Row {
        detail: "Too many assertions of late; come again.",
        cure: "the client fetches a token for every request: it should keep one for its life",
        ..unavailable("grant_assertions_exhausted")
    },
    Row {
        detail: "Too many failed authentications; come again.",
        cure: "see the refusals of this client before: its client_id, certificate or assertions \
               are not what its [[client]] names",
        ..grant_by_429("grant_failures_exceeded")
    },
    //= RFC 6750 section 3.1
    //# Who brings a token that is revoked is told that it is not valid.
    Row {
        oauth_error: Some("invalid_token"),
        cause: "TOKEN_REVOKED",
        detail: "The access token has been revoked.",
        cure: "the detail says what of it is revoked: itself, its client's tokens or its issuer's \
               key; where the client is still welcome it must fetch a new token, which \
               without an iat is taken once it ends later than any of before would: \
               token_lifetime_max",
        ..row("token_revoked", 401, "Unauthorized")
    },
    Row {
        detail: "No token can be signed; come again.",
        cure: "what makes the embedded issuer's tokens has been revoked: give oauth.key, \
               oauth.capif.key or [oauth.sealing], whichever made this one, another one, or take \
               the revocation back",
        ..unavailable("issuer_key_revoked")
    },
    Row {
        detail: "The authorization_details are malformed, unknown or not granted to this client.",
        cure: "the type is t8_access, with apis and, where not all, operations; add the APIs to \
               the client's scopes, and whom they are about to its services, if it may have them; \
               of what is too long it must ask for less at once",
        ..grant("grant_details_refused", "invalid_authorization_details")
    },
    Row {
        cause: "INTROSPECTION_UNAVAILABLE",
        detail: "The token's issuer cannot be asked about it; come again.",
        cure: "see the log for why the issuer does not answer at introspection.url; opaque tokens \
               that are remembered are served meanwhile",
        ..row("introspection_unavailable", 503, "Service Unavailable")
    },
    Row {
        cause: "INTROSPECTION_DEADLINE",
        detail: "The token's issuer did not say in time what it is good for; come again.",
        cure: "see whether the issuer, or this machine, is overloaded",
        ..row("introspection_deadline", 503, "Service Unavailable")
    },
    Row {
        cause: "TOKEN_FAILURES_EXCEEDED",
        detail: "This client has sent too many tokens that are not valid; come again.",
        cure: "the client sends one bad token after another: see token_invalid for why they are \
               bad; tokens of its that are remembered are served meanwhile, and other clients too",
        ..row("token_failures_exceeded", 429, "Too Many Requests")
    },
    //= RFC 7009 section 2.1
    //# Who wants to revoke another client's token is refused.
    Row {
        detail: "The token was issued to another client.",
        cure: "a client revokes its own tokens only: see how it came by another's; yours is \
               `t8gate token revoke`",
        ..grant("grant_token_foreign", "invalid_grant")
    },
    //= RFC 7009 section 2.2.1
    //# By 503 the client knows that its token is still there, and when to try again.
    Row {
        detail: "The token could not be revoked; come again.",
        cure: "the detail says why: see the log for what is wrong with revocation.store, whether \
               its disk answers, and whether the clocks of the issuer's nodes agree",
        ..unavailable("revocation_unavailable")
    },
    Row {
        detail: "The client's tokens are revoked up to a moment to come; come again.",
        cure: "the client's tokens are revoked up to a moment that is still to come, half a minute \
               ahead where none was named: it is given one then, which will be taken; one that is \
               to have none at all is disabled (`t8gate client disable`)",
        ..unavailable("client_tokens_revoked")
    },
    Row {
        detail: "The form is in a content coding.",
        cure: "the client compresses what it posts (Content-Encoding): have it send its form as \
               it is",
        ..grant_by_415("grant_form_coded")
    },
    // Nobody hears it: the connection is shut by then.
    Row {
        oauth_error: Some("invalid_token"),
        cause: "CERTIFICATE_DISTRUSTED",
        detail: "The client certificate of this connection is no longer trusted.",
        closes: true,
        cure: "the connection's own record says why its certificate is no longer trusted; nothing \
               of the request has gone to the SCEF",
        ..row("certificate_distrusted", 401, "Unauthorized")
    },
    //= RFC 7662 section 2.3
    //# Who asks and does not authenticate is answered 401.
    Row {
        detail: "The client is not the one it says it is.",
        cure: "as of grant_client_foreign: client_id, certificate and, where it is registered for \
               those, assertion must be of the one [[client]] that introspects; the log names \
               what was wrong",
        ..grant_by_401("introspection_client_foreign")
    },
    Row {
        detail: "The client has asked about too many tokens that are not active; come again.",
        cure: "the resource server asks about ever new bad tokens, more than 500 a second on one \
               CPU: see who sends them to it; it is answered again in the next second, and other \
               clients are meanwhile",
        ..unavailable("introspections_exceeded")
    },
    //= RFC 9110 section 15.5.7
    //# Who takes nothing of what there is to answer with is told so.
    Row {
        cause: "NOT_ACCEPTABLE",
        detail: "Answers are application/json or application/problem+json.",
        cure: "the client's Accept field names neither application/json nor \
               application/problem+json, or excludes both by q=0",
        ..row("not_acceptable", 406, "Not Acceptable")
    },
    Row {
        cause: "MEDIA_TYPE_UNSUPPORTED",
        detail: "The body is not of the media type that this operation takes.",
        cure: "the client must send the Content-Type that the answer's Accept or Accept-Patch \
               names, in UTF-8: `t8gate apis` lists that of each operation",
        ..row("media_type_unsupported", 415, "Unsupported Media Type")
    },
    Row {
        cause: "LENGTH_MISSING",
        detail: "This operation takes a body, and the request does not say that it has one.",
        cure: "the client must send Content-Length, or Transfer-Encoding: chunked, and a body: \
               `t8gate apis` says which operations take one",
        ..row("length_missing", 411, "Length Required")
    },
    Row {
        cause: "BODY_MISSING",
        detail: "This operation takes a body, and the request's is empty.",
        cure: "the client must send a body: `t8gate apis` says which operations take one",
        ..row("body_missing", 400, "Bad Request")
    },
    //= TS 33.187 clause 4.7
    //# Authorization is per UE, or per service and UE, where the operator says so.
    Row {
        cause: "NOT_GRANTED",
        detail: "This client is not granted that, or not for all that it asks about.",
        cure: "the detail says what of it no [[client.service]] of the client grants: the API, the \
               operation, an event type or port, a UE, a group, or that no UE is named; add it \
               there if the client may have it",
        ..row("not_granted", 403, "Forbidden")
    },
    Row {
        oauth_error: Some("insufficient_scope"),
        cause: "TOKEN_LIMITED",
        detail: "The access token is not good for all that is asked about.",
        cure: "the detail says what of it the token's authorization_details leave out: the client \
               must ask its issuer for a token that names it",
        ..row("token_limited", 403, "Forbidden")
    },
    Row {
        cause: "CONTENT_MALFORMED",
        detail: "The body is not JSON that can be read in one way only.",
        cure: "the detail says how the client's body could be read in two ways, or is not what the \
               operation takes: its JSON library is broken, or somebody tries to be taken for \
               another",
        ..row("content_malformed", 400, "Bad Request")
    },
    Row {
        cause: "RESOURCE_UNKNOWN",
        detail: "There is no such resource.",
        cure: "the SCEF does not have what the client, which is held to some UEs, wants to change",
        ..row("resource_unknown", 404, "Not Found")
    },
    Row {
        cause: "RESOURCE_UNSEEN",
        detail: "What is asked about cannot be looked at.",
        cure: "the client is held to some UEs, and what it asks for has to be looked at first: the \
               detail says why the SCEF's representation could not be",
        ..row("resource_unseen", 502, "Bad Gateway")
    },
    //= TS 33.187 clause 4.7
    //# The IMSI is not sent outside of the operator's domain.
    Row {
        cause: "IDENTITY_IN_ANSWER",
        detail: "The answer of the SCEF must not leave the operator's domain.",
        cure: "the SCEF's answer holds an identity of a subscriber: the record says of which form \
               and where it stands; the SCEF must not send it, and what it did stands",
        ..row("identity_in_answer", 502, "Bad Gateway")
    },
    Row {
        cause: "ANSWER_UNGUARDED",
        detail: "The answer of the SCEF cannot be looked through.",
        cure: "the SCEF must not compress what it answers (Content-Encoding), write it in other \
               letters than UTF-8, say twice what it is (Content-Type), send one value, or with \
               listen.api_roots or for held clients one answer, that is longer than \
               limits.guarded_bytes_max, nor tell a client that is held to some UEs \
               about others (not_granted)",
        ..row("answer_unguarded", 502, "Bad Gateway")
    },
    Row {
        cause: "IDENTITY_IN_REQUEST",
        detail: "The request holds an identity of a subscriber that is not for use outside.",
        cure: "the client has an identity that it must not know: the record says of which form and \
               where it stands; find out where the client has it from",
        ..row("identity_in_request", 400, "Bad Request")
    },
    //= TS 29.122 clause 5.2.10
    //# Where an answer redirects to is reached through the gateway, or the answer is refused.
    Row {
        cause: "LINK_LEADS_PAST",
        detail: "The answer leads to where this gateway does not.",
        cure: "a Location of the SCEF begins with none of upstream.api_roots, nor with its \
               address: ask it from inside for the same, and add the apiRoot that it gives its \
               links; what the request made or changed there, it has made or changed",
        ..row("link_leads_past", 502, "Bad Gateway")
    },
    //= RFC 9110 section 15.5.4
    //# Who is known and may not ask from there is refused for that, by whatever certificate.
    Row {
        cause: "SOURCE_ADDRESS_FOREIGN",
        detail: "This client may not send requests from this address.",
        cure: "the connection comes from none of the source_addresses of its [[client]]: the audit \
               file has the address; add it if it is the client's, else somebody else has its key",
        ..row("source_address_foreign", 403, "Forbidden")
    },
    //= RFC 6585 section 4
    //# Who asks too often is told so, and after what time to come again.
    Row {
        cause: "RATE_EXCEEDED",
        detail: "This client asks for more of this than it is allowed; come again.",
        cure: "the client asks more often than rate and burst of a [[client.allowance]] of its \
               allow: have it wait for as long as Retry-After says, or raise them",
        ..row("rate_exceeded", 429, "Too Many Requests")
    },
    Row {
        cause: "ALLOWANCE_USED_UP",
        detail: "This client has used up what it is allowed of this for now; come again.",
        cure: "quota of a [[client.allowance]] of the client's is used up, until the time in UTC \
               that Retry-After ends with: raise it if the client is to have more",
        ..row("allowance_used_up", 429, "Too Many Requests")
    },
    Row {
        cause: "CONTENT_CODED",
        detail: "The body is in a content coding; send it as it is.",
        cure: "the client compresses what it sends (Content-Encoding): nobody could look through \
               that, so have it send its bodies as they are",
        ..row("content_coded", 415, "Unsupported Media Type")
    },
    Row {
        cause: "BODIES_EXHAUSTED",
        detail: "This server holds as many bodies as it can; come again.",
        closes: true,
        cure: "bodies are held whole until they are judged, 256 MiB of them on a CPU and 64 of one \
               client's: many long or slow ones at once are an attack; lower \
               limits.body_bytes_max, or raise deadlines.body_bytes_per_s_min",
        ..row("bodies_exhausted", 503, "Service Unavailable")
    },
];
