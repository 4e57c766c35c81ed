//! Every bound of the gateway, unit in the name. What an operator may change is in [`Limits`] and
//! [`Deadlines`], filled from the configuration; the rest is fixed here.

use std::time::Duration;

/// Header fields in one request or response head; more are refused (431, or 502 from upstream).
/// Sixty-four, because the fields to drop are kept as one bit each in a `u64`.
pub const FIELDS_MAX: usize = 64;
/// One access token, as sent; longer ones are refused unread (RFC 8725 asks for a bound).
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Chunk extensions of one chunk, `;` included.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 256;
/// Chunk extensions of a whole body: extensions are dropped, so they must not be a way to make us
/// read for ever.
pub const CHUNK_EXTENSIONS_BYTES_MAX: usize = 16 * 1024;
/// Hexadecimal digits of one chunk size: 2^60 bytes are out of reach of any deadline.
pub const CHUNK_SIZE_DIGITS_MAX: usize = 15;
/// A trailer section; trailers are checked and dropped.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// Interim (1xx) responses of one exchange.
pub const INTERIM_RESPONSES_MAX: usize = 8;
/// Bodies that a shard holds at a time, because each is judged whole; what does not fit is refused
/// (503).
pub const HELD_BYTES_MAX: u64 = 256 << 20;
/// The same of one client: two that hold what they may leave room for others.
pub const CLIENT_HELD_BYTES_MAX: u64 = HELD_BYTES_MAX / 4;
/// What is read and thrown away of a refused request's body so that its connection can live on;
/// a longer body closes it.
pub const REFUSED_BODY_BYTES_MAX: u64 = 64 * 1024;
/// What is read and thrown away after a last answer, so that a reset does not destroy it.
pub const LINGER_BYTES_MAX: usize = 256 * 1024;
/// How long that may take.
pub const LINGER_MS_MAX: u64 = 1_000;
/// One piece of a relayed body: what one receive may bring and one send may carry.
pub const RELAY_BYTES: usize = 32 * 1024;
/// A connection's receive buffer between requests.
pub const RECV_BYTES: usize = 4 * 1024;
/// Clients, those included that were taken out since the start: each has a place in what is counted
/// and recorded, which is nobody else's before the next start. Counts take 128 octets a shard each.
pub const CLIENTS_MAX: usize = 65_536;
/// A file of a client, some hundred octets with its comments.
pub const CLIENT_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Services of one client's policy.
pub const SERVICES_MAX: usize = 256;
/// Allowances of one client.
pub const ALLOWANCES_MAX: usize = 64;
/// What an operator may allow at once, or in a time: one of the fastest rate takes a microsecond.
pub const ALLOWANCE_UNITS_MAX: u64 = 1_000_000;
/// And in a day or less by the calendar: two of them fit into one word of 64 bits.
pub const QUOTA_UNITS_MAX: u64 = 1_000_000_000;
/// Addresses and prefixes that one client may come from.
pub const SOURCE_ADDRESSES_MAX: usize = 1_024;
/// Words about whom one service is granted for; more UEs than that make a set in a built file.
pub const SERVICE_UES_MAX: usize = 4_096;
/// A built file of UE sets, which is held in memory: some 240 million entries.
pub const UE_SETS_BYTES_MAX: u64 = 4 << 30;
/// Self-signed certificates that one client may have registered at a time: one for each of its
/// nodes, and the next of each.
pub const SELF_SIGNED_CERTIFICATES_MAX: usize = 64;
/// A whole TLS handshake flight, in one direction.
pub const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;
/// The names of the CAs that clients may come from, as a handshake tells them. With more it tells
/// none: what tells them has no room for 64 KiB, and whoever says hello is sent all of it.
pub const CA_NAMES_BYTES_MAX: usize = 32 * 1024;
/// Certificates of CAs that a client may show behind its own. TS 33.310 has none between its TLS CA
/// and an entity; where a group waives that, partners have one or two. A path is looked for in
/// every order of them: twelve of one name cost 50 ms of a shard before anybody has shown a key.
pub const CLIENT_CAS_MAX: usize = 4;
/// Verified certificate chains that one shard remembers, some 1.5 KB each; as many again of
/// resumed sessions.
pub const CHAINS_REMEMBERED_MAX: usize = 4_096;
/// Handshakes by DHE that may come at once, in seconds' worth of what may come in a minute.
pub const DHE_AT_ONCE_S: u64 = 10;
/// Sources that one shard knows to have used some of theirs; further ones are refused until one of
/// these has all of its own again.
pub const DHE_SOURCES_MAX: usize = 4_096;
/// A certificate revocation list, some 45 octets an entry. Longer ones are not read to their end.
pub const CRL_BYTES_MAX: usize = 256 << 20;
/// One entry of a list, or its extensions.
pub const CRL_ELEMENT_BYTES_MAX: usize = 64 * 1024;
/// A list that says it begins later than that from now is not believed yet; sooner, two clocks
/// differ.
pub const CRL_EARLY_S_MAX: u64 = 300;
/// Between two fetches of a list.
pub const CRL_REFRESH_DEFAULT: Duration = Duration::from_secs(3_600);
/// An OCSP response, some 2 KB with its responder's certificate. Longer ones are not read.
pub const OCSP_RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// Certificates in a response that are looked at for its responder's.
pub const OCSP_RESPONDERS_MAX: usize = 4;
/// A response that says it begins later than that from now is not believed yet; sooner, two clocks
/// differ.
pub const OCSP_EARLY_S_MAX: u64 = 300;
/// Certificates of clients of which a responder's answer is remembered, some 300 octets each.
pub const OCSP_STATUSES_MAX: usize = 65_536;
/// Parts in which they are remembered; entering one copies its part.
pub const OCSP_STATUS_BUCKETS: usize = 256;
const _: () = assert!(OCSP_STATUS_BUCKETS <= u16::MAX as usize);
/// Questions that may wait to be looked at by who asks responders.
pub const OCSP_QUESTIONS_QUEUED_MAX: usize = 1_024;
/// Handshakes that may wait for answers at a time; over it clients are judged without. The clients
/// of one issuer never have more of these places than are left: half of them at most.
pub const OCSP_WAITING_MAX: usize = 4_096;
/// Questions to one responder under way at a time: the next waits for one of them to end.
pub const OCSP_ASKED_AT_ONCE_MAX: usize = 16;
/// How long an answer that names no end is believed.
pub const OCSP_UNDATED_S: u64 = 300;
/// Between two questions about a client's certificate (`ocsp.refresh`), where not said.
pub const OCSP_REFRESH_DEFAULT: Duration = Duration::from_secs(3_600);
/// How long what an issuer says of an opaque token is remembered (`introspection.cache`), where not
/// said; never beyond its `exp`.
pub const INTROSPECTION_CACHE_DEFAULT: Duration = Duration::from_secs(30);
/// What an issuer may take to answer about a token: requests wait for it.
pub const INTROSPECTION_WAIT: Duration = Duration::from_secs(3);
/// What a request waits beyond that to be told that nobody has answered.
pub const INTROSPECTION_SLACK: Duration = Duration::from_millis(500);
/// An answer about a token, some hundred octets.
pub const INTROSPECTION_ANSWER_BYTES_MAX: usize = 32 * 1024;
/// Questions about tokens on their way to who asks.
pub const INTROSPECTIONS_QUEUED_MAX: usize = 1_024;
/// Tokens that are asked about at a time, and requests that wait for one of them.
pub const INTROSPECTIONS_WAITING_MAX: usize = 256;
/// Threads on which introspections wait for tokens, and names are resolved.
pub const INTROSPECTION_THREADS_MAX: usize = 16;
/// Of the tokens that are asked about at a time, those of one client: the others are not to find no
/// room for theirs.
pub const INTROSPECTIONS_PER_CLIENT_MAX: usize = INTROSPECTIONS_WAITING_MAX / 8;
/// Questions in vain that the issuer is asked in a second for the tokens of one client, beside
/// those that are under way then: each is a request there, which costs it more than a verification
/// costs here. Over it the client's further tokens are refused unseen (429), but for those that are
/// remembered, good or bad. Tokens that the issuer calls good and that are good for nothing here
/// are counted apart, on each shard.
pub const INTROSPECTIONS_IN_VAIN_PER_S_MAX: u32 = 10;
/// Questions in vain, in a row, after which nobody asks for a while.
pub const INTROSPECTION_FAILURES_MAX: u32 = 5;
/// That while.
pub const INTROSPECTION_PAUSE: Duration = Duration::from_secs(5);
/// What a shard keeps for long answers, each as long as `limits.guarded_bytes_max` says.
pub const CLEARINGS_KEPT_MAX: usize = 4;
/// How long a token is known to be inactive, or good for nothing here: it does not get better.
pub const INTROSPECTION_INACTIVE_FOR: Duration = Duration::from_secs(10);
/// Such tokens that are remembered, some 50 octets each.
pub const INTROSPECTION_INACTIVE_MAX: usize = 16_384;
/// Between two looks at the deadlines of a shard: how late a deadline may be kept.
pub const SWEEP_MS: u64 = 25;
/// What is posted to an endpoint of the embedded issuer. A request for a token takes some hundred
/// octets; one about a token carries it, and the client's assertion beside it.
pub const FORM_BYTES_MAX: usize = 16 * 1024;
/// Of that, for all but the token: an assertion signed with RSA takes one.
const FORM_BYTES_BESIDE_TOKEN: usize = 4 * 1024;
const _: () = assert!(TOKEN_BYTES_MAX + FORM_BYTES_BESIDE_TOKEN <= FORM_BYTES_MAX);
/// How long the issuer's documents may be kept, its key set among them: a new key is to be known
/// before it signs.
pub const DOCUMENT_MAX_AGE_S: u32 = 300;
/// A token of the embedded issuer lives no longer than that (`oauth.token_lifetime`), in seconds:
/// it would outlive every change of a grant.
pub const TOKEN_LIFETIME_S_MAX: u64 = 24 * 3_600;
/// How long the tokens of another issuer live at most, in seconds, where the operator does not say
/// that they live shorter (`issuer.token_lifetime_max`): 31 days. What lives longer is refused.
pub const ISSUER_TOKEN_LIFETIME_S_MAX: u64 = 31 * 86_400;
/// What a token may carry of `authorization_details`, as JSON: with it in base64, and all else, a
/// token stays below [`TOKEN_BYTES_MAX`].
pub const DETAILS_BYTES_MAX: usize = 4 * 1024;
const _: () = assert!(DETAILS_BYTES_MAX * 4 / 3 + 2 * 1024 <= TOKEN_BYTES_MAX);
/// How far ahead the end of a client's assertion may lie, in seconds (RFC 7523 section 3): it is
/// made for one request.
pub const ASSERTION_LIFETIME_S_MAX: u64 = 300;
/// How long an assertion of the gateway's own lives: long enough for clocks that differ a little.
pub const OWN_ASSERTION_LIFETIME_S: u64 = 60;
/// Assertions of one client that are known as used while they would still be taken; over it the
/// client is refused (503). Three a second, for all nodes of a partner's.
pub const ASSERTIONS_USED_MAX: usize = 1_024;
/// Failed authentications at the embedded issuer that one certificate may have on one shard within
/// [`GRANT_FAILURES_WINDOW_S`]; over it all that it asks for is refused (429) until that is over.
pub const GRANT_FAILURES_MAX: u32 = 10;
/// Seconds.
pub const GRANT_FAILURES_WINDOW_S: u64 = 60;
/// Certificates whose failures one shard counts at a time.
pub const GRANT_FAILURES_KNOWN_MAX: usize = 4_096;
/// Revocations that are held, some 60 octets of memory and 100 of disk each; over it no more are
/// taken. One of a client does for all its tokens.
pub const REVOKED_MAX: usize = 1 << 20;
/// Of that room clients that revoke their own tokens fill one part in so many: the rest is the
/// operator's, who would else find none when such a client is to be revoked.
pub const REVOKED_ROOM_OVER_CLIENTS: usize = 2;
/// And each of those clients one part in so many of that: it revokes in vain then, not the others.
pub const REVOKED_SHARES_OF_CLIENTS: usize = 16;
/// What the disk gets to take what a client revokes; then the client is told to come again.
pub const REVOCATION_WAIT: Duration = Duration::from_secs(5);
/// Parts in which they are held; entering one copies its part.
pub const REVOKED_BUCKETS: usize = 1 << 12;
const _: () = assert!(REVOKED_BUCKETS.is_power_of_two() && REVOKED_BUCKETS <= 1 << 16);
/// How long the revocation of a token is kept whose end is not known, in seconds: a year. A token
/// that lives longer would be good again.
pub const REVOKED_UNDATED_S: u64 = 366 * 86_400;
/// How long that of a client is kept behind its moment, in seconds: what was issued by then has
/// ended, by any clock that is near enough.
pub const REVOKED_CLIENT_S: u64 = ISSUER_TOKEN_LIFETIME_S_MAX + 60;
/// How much longer than its token a revocation is kept, in seconds: a clock that was put back must
/// not make the token good again.
pub const REVOKED_KEPT_S: u64 = 600;
/// How far the clock of whoever issues tokens may be ahead of this one, in seconds: a client's
/// tokens are revoked up to so much later than now, where no moment is named.
pub const REVOKED_CLOCKS_APART_S: u64 = 30;
/// Between two looks for revocations that matter to nobody any more.
pub const REVOKED_SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Revocations removed by one commit.
pub const REVOKED_SWEPT_AT_ONCE: usize = 8_192;
/// Requests for revocations that may wait for the disk; over it they are refused.
pub const REVOCATIONS_QUEUED_MAX: usize = 1_024;
/// Of those places clients that revoke their own tokens take at most so many.
pub const REVOCATIONS_QUEUED_OF_CLIENTS_MAX: usize = 512;
const _: () = assert!(REVOCATIONS_QUEUED_OF_CLIENTS_MAX < REVOCATIONS_QUEUED_MAX);
/// Revocations written by one commit, and a request's more.
pub const REVOCATIONS_PER_COMMIT_MAX: usize = 4_096;
/// Revocations handed in with one request.
pub const REVOCATIONS_PER_REQUEST_MAX: usize = 1_000;
/// Such a request: a token is 8 KiB at most.
pub const REVOCATIONS_BYTES_MAX: usize = 1 << 20;
/// Entries that are listed at a time.
pub const REVOCATIONS_LISTED_MAX: usize = 1_000;
/// The operator's file of revocations.
pub const REVOKED_FILE_BYTES_MAX: u64 = 16 << 20;
/// A name in a revocation: a `client_id`, an issuer, a `kid`, a `jti`.
pub const REVOKED_NAME_BYTES_MAX: usize = 1_024;
/// Receives called back between two sweeps for the sake of their buffers. For each the kernel walks
/// over all connections of the shard, some 50 us where there are 10,000.
pub const CALLED_BACK_MAX: u32 = 16;
/// Audit records that travel together from a shard to the writer.
pub const AUDIT_BATCH_RECORDS: usize = 256;
/// Refused requests logged in full per reason and second; the others are counted in one line.
pub const REFUSALS_LOGGED_PER_S: u32 = 20;

const _: () = assert!(FIELDS_MAX <= u64::BITS as usize);
const _: () = assert!(RECV_BYTES <= RELAY_BYTES);

/// Bounds on size that an operator may change (`[limits]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request or response head, request line and blank line included; over it 431 (502).
    pub head_bytes_max: usize,
    /// The request target; over it 414.
    pub target_bytes_max: usize,
    /// A request body, without its framing; over it 413.
    pub body_bytes_max: u64,
    /// Connections of one shard; over it new ones are closed at once.
    pub connections_max: usize,
    /// Requests on one connection; the last is answered with `Connection: close`.
    pub requests_per_connection_max: u64,
    /// Cached tokens of one shard.
    pub cached_tokens_max: usize,
    /// Handshakes waiting for the HSM; over it new ones are refused (`internal_error`).
    pub signatures_queued_max: usize,
    /// Handshakes a minute that may agree on keys by DHE, all shards together; over it they are
    /// refused (`internal_error`).
    pub dhe_per_min_max: u64,
    /// The same for one source: an IPv4 address, 64 bits of an IPv6 address.
    pub dhe_per_min_per_source_max: u64,
    /// An answer's body that is looked through whole before any of it leaves; a longer one leaves
    /// as it is looked through. And the longest member that one may have.
    pub guarded_bytes_max: u64,
    /// Records of one shard that may wait for the audit file, a quarter of them refusals only;
    /// over it requests are refused (503), or their records lost.
    pub audit_records_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            target_bytes_max: 8 * 1024,
            body_bytes_max: 1024 * 1024,
            connections_max: 20_000,
            requests_per_connection_max: 1_000_000,
            cached_tokens_max: 65_536,
            signatures_queued_max: 512,
            dhe_per_min_max: 600,
            dhe_per_min_per_source_max: 60,
            guarded_bytes_max: 1024 * 1024,
            audit_records_max: 65_536,
        }
    }
}

/// Bounds on time that an operator may change (`[deadlines]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From accept to a finished TLS handshake; over it the connection is closed.
    pub handshake: Duration,
    /// The answer of an OCSP responder, for a handshake that waits for it; over it the client is
    /// judged without.
    pub ocsp: Duration,
    /// One signature by a token; over it its signer process counts as hanging and is replaced.
    pub signature: Duration,
    /// From the first byte of a head to its last; over it 408.
    pub head: Duration,
    /// From the end of the head to the last byte of the body, plus the time the bytes received
    /// are worth at `body_bytes_per_s_min`; over it 408.
    pub body: Duration,
    /// The slowest body that is still served, bytes a second.
    pub body_bytes_per_s_min: u64,
    /// Between two requests on a connection; over it the connection is closed.
    pub idle: Duration,
    /// Until a connection to the upstream stands; over it 504.
    pub upstream_connect: Duration,
    /// From the request's last byte sent to the response head received; over it 504. Also between
    /// two pieces of the response body; over it the response is cut.
    pub upstream_response: Duration,
    /// An upstream connection unused for so long is closed.
    pub upstream_idle: Duration,
    /// One send to a client that does not read; over it the connection is closed.
    pub send: Duration,
    /// From the end of the head to the last byte of the response; over it 504, or a cut response.
    pub exchange: Duration,
    /// What is in flight at the end has so long to finish.
    pub drain: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            ocsp: Duration::from_secs(3),
            signature: Duration::from_secs(5),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            body_bytes_per_s_min: 16 * 1024,
            idle: Duration::from_secs(120),
            upstream_connect: Duration::from_secs(3),
            upstream_response: Duration::from_secs(30),
            upstream_idle: Duration::from_secs(60),
            send: Duration::from_secs(20),
            exchange: Duration::from_secs(120),
            drain: Duration::from_secs(20),
        }
    }
}

/// Idle upstream connections each shard keeps (`upstream.connections_idle_max`), where not said.
pub const UPSTREAM_CONNECTIONS_IDLE_DEFAULT: usize = 256;
/// How often the files of a configuration are looked at (`reload.watch`), where not said.
pub const RELOAD_WATCH_DEFAULT: Duration = Duration::from_secs(1);
/// PKCS#11 sessions (`tls.key.sessions`), where not said: SoftHSM signs no faster with more, and
/// one session alone would leave handshakes behind a slow signature.
pub const TOKEN_SESSIONS_DEFAULT: usize = 2;
/// How long one secret makes the keys of session tickets (`tls.tickets.slot`), where not said: a
/// client that comes back within a working day finds its session.
pub const TICKET_SLOT_DEFAULT: Duration = Duration::from_secs(6 * 60 * 60);
/// And the shortest and longest: a ticket opens for two slots at most, and no longer than the
/// seven days of RFC 8446 section 4.6.1.
pub const TICKET_SLOT_S_MIN: u64 = 10 * 60;
pub const TICKET_SLOT_S_MAX: u64 = 72 * 60 * 60;
/// How old the handshake may be in which a client showed its certificate, in slots, for its session
/// to be continued: as long as one ticket may open. A ticket that is renewed carries the master
/// secret of TLS 1.2 on, and with it the moment from which stolen keys would still serve.
pub const SESSION_SLOTS_MAX: u64 = 2;
const _: () =
    assert!(SESSION_SLOTS_MAX * TICKET_SLOT_S_MAX + TICKET_CLOCKS_APART_S_MAX <= 7 * 86_400);
/// What the clocks of nodes that share ticket keys may be apart without a ticket ending before
/// the client was told it would.
pub const TICKET_CLOCKS_APART_S_MAX: u64 = 60;
const _: () = assert!(TICKET_CLOCKS_APART_S_MAX < TICKET_SLOT_S_MIN);
/// What a token of the embedded issuer lives (`oauth.token_lifetime`), where not said: long enough
/// that fetching costs nothing, short enough that a withdrawn grant is gone soon.
pub const TOKEN_LIFETIME_DEFAULT: Duration = Duration::from_secs(600);
/// A JWK Set that an issuer publishes, or its description.
pub const ISSUER_DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Between two looks at an issuer's keys (`issuer.refresh`), where neither the operator nor the
/// issuer says: soon enough for a key that is published some time before it signs.
pub const KEYS_REFRESH_DEFAULT: Duration = Duration::from_secs(300);
/// How long keys are believed that cannot be had again (`issuer.keys_max_age`): an issuer may be
/// away for a night, and a key that was withdrawn meanwhile is not to be good for ever.
pub const KEYS_MAX_AGE_DEFAULT: Duration = Duration::from_secs(24 * 3_600);
/// Tokens of one client that one shard verifies in vain in a second, 50 us each: half a percent of
/// its time. Over it the client's further tokens are refused unseen (429), but for those that are
/// remembered.
pub const TOKEN_FAILURES_PER_S_MAX: u32 = 100;
/// Tokens that a resource server may ask about on one shard within a second and that are verified
/// and not active; over it it is told to come again. Others send them to it, so it has more than a
/// client has for its own: a fortieth of the shard's time.
pub const TOLD_IN_VAIN_PER_S_MAX: u32 = 500;
/// Tokens that one shard knows to be bad.
pub const REFUSED_TOKENS_MAX: usize = 1_024;
/// For so many seconds: what is amiss at an issuer may be mended.
pub const REFUSED_TOKENS_KEPT_S: u64 = 10;
/// Resources of an API that is configured: NIDD, with the most of the table, has six.
pub const API_RESOURCES_MAX: usize = 64;
/// Places of a body of it that something is said of; MonitoringEvent has 126.
pub const API_PLACES_MAX: usize = 512;
/// Ways in which configured APIs were written that one process keeps, each for good and in some
/// kilobytes.
pub const API_DEFINITIONS_MAX: usize = 1_000;
