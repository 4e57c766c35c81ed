//! `/revocations` on the admin socket: what is handed in there is in the store and in force before
//! it is answered. All of a request comes into force, or nothing of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::authz::introspection;
use crate::authz::token::{self, LEEWAY_S, TokenFault};
use crate::clock::{UnixMillis, UnixSeconds};
use crate::control::revocation_notes::{Act, By, Note, Notes, called};
use crate::control::touched::{InVain, Touched};
use crate::limits::{
    REVOCATIONS_BYTES_MAX, REVOCATIONS_LISTED_MAX, REVOCATIONS_PER_REQUEST_MAX, REVOKED_UNDATED_S,
    TOKEN_LIFETIME_S_MAX,
};
use crate::revoked::desk::{Desk, Done, Refused};
use crate::revoked::{
    Entry, FOR_EVER, Form, Kind, Meant, Revocation, Unmeant, Whose, Written, of_token,
};
use crate::snapshot::Current;

/// What the disk gets; less than the connection has.
const DESK_WAIT: Duration = Duration::from_secs(8);

/// The process at the other end, as the kernel knows it.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub uid: u32,
    pub pid: Option<i32>,
}

/// What requests are answered with.
pub struct Revoking {
    pub desk: Arc<Desk>,
    pub current: Arc<Current>,
    pub notes: Arc<Notes>,
}

/// Why nothing was done.
enum Unrevoked {
    /// The one at this place, from 1.
    Unmeant(usize, Unmeant),
    Token(usize, TokenFault),
    /// Nothing would be refused for it: why, and what to do about that.
    InVain(usize, InVain, String),
    TooMany,
    None,
    NotToBeTakenBack,
    Unknown,
    Refused(Refused),
    /// The disk has not answered: it may come into force yet.
    Unanswered,
}

impl From<Refused> for Unrevoked {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl IntoResponse for Unrevoked {
    fn into_response(self) -> Response {
        let text = |what: &str, cure: &str| (what.to_owned(), cure.to_owned());
        let (status, (what, cure)) = match self {
            Self::Unmeant(place, Unmeant { what, cure }) => (
                StatusCode::BAD_REQUEST,
                text(&format!("entry {place}: {what}"), cure),
            ),
            Self::Token(
                place,
                TokenFault::KeysUnknown | TokenFault::SomeKeysUnknown | TokenFault::KeyUnknown,
            ) => (
                StatusCode::SERVICE_UNAVAILABLE,
                text(
                    &format!(
                        "entry {place}: the key or secret that the token is by is not known now"
                    ),
                    "try again when it is, or write its hash as \"token_sha256\", which \
                     `t8gate token inspect` says: it would be taken then",
                ),
            ),
            Self::Token(place, fault) => {
                let cure = match fault {
                    TokenFault::Expired => "nothing is to be done: it is refused anyway",
                    _ => {
                        "no token that is taken is refused for this; where it is to be refused \
                         whatever comes, write its hash as \"token_sha256\", which `t8gate token \
                         inspect` says"
                    }
                };
                let what = format!(
                    "entry {place}: the token is not one that is taken: {}",
                    fault.word()
                );
                (StatusCode::BAD_REQUEST, text(&what, cure))
            }
            Self::InVain(place, why, cure) => (
                StatusCode::BAD_REQUEST,
                text(&format!("entry {place}: {}", why.what()), &cure),
            ),
            Self::TooMany => (
                StatusCode::PAYLOAD_TOO_LARGE,
                text(
                    &format!("there are more than {REVOCATIONS_PER_REQUEST_MAX} entries"),
                    "hand them in in parts",
                ),
            ),
            Self::None => (
                StatusCode::BAD_REQUEST,
                text("there is no entry", "write one, or several in an array"),
            ),
            Self::NotToBeTakenBack => (
                StatusCode::BAD_REQUEST,
                text(
                    "a token stays revoked",
                    "issue another one; clients, certificates and keys can be taken back",
                ),
            ),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                text(
                    "it is not revoked in the store",
                    "see GET /revocations; what stands in revocation.revoked is taken out there",
                ),
            ),
            Self::Refused(refused) => {
                let status = match refused {
                    Refused::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                (status, refused.explained())
            }
            Self::Unanswered => (
                StatusCode::SERVICE_UNAVAILABLE,
                text(
                    "the disk of the store has not answered: it may come into force yet",
                    "see whether the disk answers, and try again: twice does no harm",
                ),
            ),
        };
        (status, Json(json!({"fault": what, "cure": cure}))).into_response()
    }
}

/// `POST`, `GET` and `DELETE /revocations`.
pub fn router(revoking: Arc<Revoking>) -> Router {
    let fallback = || async {
        let body = json!({"fault": "not found", "cure": "see /revocations"});
        (StatusCode::NOT_FOUND, Json(body))
    };
    Router::new()
        .route("/revocations", get(list).post(revoke))
        .route("/revocations/client/{client}", delete(take_back_client))
        .route(
            "/revocations/certificate/{certificate}",
            delete(take_back_certificate),
        )
        .route("/revocations/key/{issuer}/{kid}", delete(take_back_key))
        .route("/revocations/key/{issuer}/", delete(take_back_nameless_key))
        .fallback(fallback)
        .layer(DefaultBodyLimit::max(REVOCATIONS_BYTES_MAX))
        .with_state(revoking)
}

const IS_PAST: Unmeant = Unmeant {
    what: "what it is about has ended: nothing would be kept",
    cure: "let \"expires\" be when the token or the certificate ends, in seconds since 1970, or \
           leave it out; by an \"issued_until\" of 31 days ago no token lives that would be taken",
};

const IS_AHEAD: Unmeant = Unmeant {
    what: "\"issued_until\" is further ahead than clocks may be apart: until then the client would \
           get no token that is taken",
    cure: "write a moment up to half a minute from now, in seconds since 1970 (date +%s), or leave \
           it out; a client that is to have no tokens is disabled: `t8gate client disable`",
};

async fn revoke(
    State(revoking): State<Arc<Revoking>>,
    Extension(asker): Extension<Asker>,
    body: Bytes,
) -> Result<Json<Value>, Unrevoked> {
    let now = UnixSeconds::now();
    let written = Written::read_some(&body).map_err(|unmeant| Unrevoked::Unmeant(1, unmeant))?;
    if written.is_empty() {
        return Err(Unrevoked::None);
    }
    if written.len() > REVOCATIONS_PER_REQUEST_MAX {
        return Err(Unrevoked::TooMany);
    }
    let mut revocations = Vec::with_capacity(written.len());
    for (place, written) in (1..).zip(written) {
        let ends_as_own =
            { written.issuer_of_undated_jti() }.is_some_and(|iss| revoking.is_own(iss));
        let issuer = written.issuer().map(str::to_owned);
        let meant = written.meant(now);
        let meant = meant.map_err(|unmeant| Unrevoked::Unmeant(place, unmeant))?;
        revocations.push(match meant {
            Meant::Revocation(mut revocation) => {
                if ends_as_own {
                    revocation.entry.held.until = end_of_own(now);
                }
                let held = &mut revocation.entry.held;
                if revocation.entry.id.kind() == Kind::Client {
                    held.undated_until = revoking.undated_until(held.issued_until);
                }
                // The next start would know nothing of what was said to be revoked.
                if revocation.entry.held.until <= now {
                    return Err(Unrevoked::Unmeant(place, IS_PAST));
                }
                if revocation.reaches_beyond(now) {
                    return Err(Unrevoked::Unmeant(place, IS_AHEAD));
                }
                revoking.would_be_refused(place, &revocation.entry, issuer.as_deref())?;
                revocation
            }
            Meant::Token(token) => {
                let revocation = revoking.of_this_token(token.0.as_bytes(), now);
                revocation.map_err(|fault| Unrevoked::Token(place, fault))?
            }
        });
    }
    let entries: Vec<Entry> = revocations.iter().map(|one| one.entry.clone()).collect();
    let (of_task, noted) = (Arc::clone(&revoking), entries.clone());
    // A task of its own: whoever hangs up before the answer leaves a record all the same.
    let revoked = tokio::spawn(async move {
        let done = answered(of_task.desk.revoke(revocations)).await;
        of_task.note(Act::Revoke, &noted, done.as_ref().err(), asker);
        done
    });
    revoked.await.map_err(|_| Unrevoked::Unanswered)??;
    Ok(Json(json!({"revoked": revoking.shown(&entries)})))
}

async fn list(State(revoking): State<Arc<Revoking>>) -> Result<Json<Value>, Unrevoked> {
    let listed = answered(revoking.desk.list(REVOCATIONS_LISTED_MAX)).await?;
    let Done::Listed(entries, more) = listed else {
        return Err(Unrevoked::Unanswered);
    };
    let revoked = Arc::clone(&revoking.current.load().revoked);
    let counts = Kind::ALL.map(|kind| (kind.word().to_owned(), revoked.count(kind).into()));
    Ok(Json(json!({
        "counts": serde_json::Map::from_iter(counts),
        "by_file": revoked.of_file(),
        "to_be_taken_back": revoking.shown(&entries),
        "more": more,
    })))
}

async fn take_back_client(
    State(revoking): State<Arc<Revoking>>,
    Extension(asker): Extension<Asker>,
    Path(client): Path<String>,
) -> Result<Json<Value>, Unrevoked> {
    take_back(&revoking, asker, json!({"client": client})).await
}

async fn take_back_certificate(
    State(revoking): State<Arc<Revoking>>,
    Extension(asker): Extension<Asker>,
    Path(certificate): Path<String>,
) -> Result<Json<Value>, Unrevoked> {
    take_back(&revoking, asker, json!({"certificate": certificate})).await
}

async fn take_back_key(
    State(revoking): State<Arc<Revoking>>,
    Extension(asker): Extension<Asker>,
    Path((issuer, kid)): Path<(String, String)>,
) -> Result<Json<Value>, Unrevoked> {
    take_back(&revoking, asker, json!({"issuer": issuer, "key": kid})).await
}

/// Of a key without a kid.
async fn take_back_nameless_key(
    State(revoking): State<Arc<Revoking>>,
    Extension(asker): Extension<Asker>,
    Path(issuer): Path<String>,
) -> Result<Json<Value>, Unrevoked> {
    take_back(&revoking, asker, json!({"issuer": issuer, "key": ""})).await
}

async fn take_back(
    revoking: &Arc<Revoking>,
    asker: Asker,
    written: Value,
) -> Result<Json<Value>, Unrevoked> {
    let unmeant = |unmeant| Unrevoked::Unmeant(1, unmeant);
    let written = Written::read(written.to_string().as_bytes()).map_err(unmeant)?;
    let meant = written.meant(UnixSeconds::now()).map_err(unmeant)?;
    let Meant::Revocation(revocation) = meant else {
        return Err(Unrevoked::NotToBeTakenBack);
    };
    if !revocation.entry.id.kind().may_be_taken_back() {
        return Err(Unrevoked::NotToBeTakenBack);
    }
    let entry = revocation.entry.clone();
    let (of_task, noted) = (Arc::clone(revoking), entry.clone());
    let taken_back = tokio::spawn(async move {
        let done = answered(of_task.desk.take_back(vec![revocation])).await;
        let found = !matches!(done, Ok(Done::TakenBack(0)));
        if found {
            let entries = std::slice::from_ref(&noted);
            of_task.note(Act::TakeBack, entries, done.as_ref().err(), asker);
        }
        done.map(|_| found)
    });
    let found = taken_back.await.map_err(|_| Unrevoked::Unanswered)??;
    match found {
        true => Ok(Json(json!({"taken_back": revoking.shown(&[entry])[0]}))),
        false => Err(Unrevoked::Unknown),
    }
}

/// What the desk says, when it has said it.
async fn answered(
    handed_in: Result<oneshot::Receiver<Result<Done, Refused>>, Refused>,
) -> Result<Done, Unrevoked> {
    match tokio::time::timeout(DESK_WAIT, handed_in?).await {
        Ok(Ok(done)) => Ok(done?),
        Ok(Err(_)) => Err(Refused::Ending.into()),
        Err(_) => Err(Unrevoked::Unanswered),
    }
}

/// The last second of a token that the embedded issuer may have issued up to `now`, whatever
/// `oauth.token_lifetime` was then.
fn end_of_own(now: UnixSeconds) -> UnixSeconds {
    UnixSeconds(now.0.saturating_add(TOKEN_LIFETIME_S_MAX + LEEWAY_S))
}

/// Whether it can be sent as a token that says nothing itself, and is no cut-off JWS: what that was
/// cut off from would go on.
fn may_be_opaque(token: &[u8]) -> bool {
    let is_cut_off = token.starts_with(b"eyJ") && memchr::memchr_iter(b'.', token).count() == 1;
    introspection::is_opaque(token) && introspection::is_b64token(token) && !is_cut_off
}

impl Revoking {
    /// Whether it is the embedded issuer's name.
    fn is_own(&self, issuer: &str) -> bool {
        let snapshot = self.current.load();
        { snapshot.issuer.as_ref() }.is_some_and(|own| own.name() == issuer)
    }

    /// Up to when tokens end, leeway included, that were issued by then and do not say when:
    /// whichever of the issuers they may be of.
    fn undated_until(&self, issued_until: UnixSeconds) -> UnixSeconds {
        let snapshot = self.current.load();
        let asked = { snapshot.introspection.as_ref() }.map(|asked| &asked.issuer);
        let lifetime_s = snapshot.issuers.undated_lifetime_s_max(asked);
        UnixSeconds(issued_until.0.saturating_add(lifetime_s + LEEWAY_S - 1))
    }

    /// Whose a token is, and when it ends, is what the gateway itself finds: the client whose
    /// remembered tokens are to be verified anew is no other then.
    fn of_this_token(&self, token: &[u8], now: UnixSeconds) -> Result<Revocation, TokenFault> {
        // One that is not valid yet will be, and one that has ended is refused anyway.
        match token::verify_untimed(token, &self.current.load().issuers) {
            Ok(verified) if verified.ends < now => Err(TokenFault::Expired),
            Ok(verified) => Ok(of_token(
                Form::Signed(token).id(),
                verified.ends,
                Whose::Client(verified.client_id),
                now,
            )),
            // No JWS: nobody here can say whose it is.
            Err(TokenFault::Malformed) if may_be_opaque(token) => {
                let undated = UnixSeconds(now.0.saturating_add(REVOKED_UNDATED_S));
                let id = Form::Opaque(token).id();
                Ok(of_token(id, undated, Whose::All, now))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Whether something is refused for a revocation that names this issuer, or none.
    fn would_be_refused(
        &self,
        place: usize,
        entry: &Entry,
        issuer: Option<&str>,
    ) -> Result<(), Unrevoked> {
        let in_force = self.current.load();
        let touched = Touched::by(&in_force);
        match touched.in_vain(entry, issuer) {
            Some(why) => Err(Unrevoked::InVain(place, why, touched.cure_of(why))),
            None => Ok(()),
        }
    }

    /// Without secrets: of a token only the beginning of a hash.
    fn shown(&self, entries: &[Entry]) -> Vec<Value> {
        let in_force = self.current.load();
        let keys = Touched::by(&in_force).keys_held();
        let shown = |entry: &Entry| {
            let kind = entry.id.kind();
            let mut shown = json!({"kind": kind.word(), "name": called(entry), "at": entry.at.0});
            // A later one of a client may hold beside it.
            let held = match kind {
                Kind::Client => in_force.revoked.of_client(&entry.name),
                _ => None,
            };
            let held = held.map_or(entry.held, |held| held.joined_with(entry.held));
            if held.until != FOR_EVER {
                shown["until"] = held.until.0.into();
            }
            match kind {
                Kind::Client => {
                    shown["issued_until"] = held.issued_until.0.into();
                    shown["undated_until"] = held.undated_until.0.into();
                    shown["known"] = in_force.revoked.knows_client(&entry.name).into();
                }
                Kind::IssuerKey => shown["known"] = keys.contains(&entry.id).into(),
                Kind::Token | Kind::Jti | Kind::Certificate => {}
            }
            shown
        };
        entries.iter().map(shown).collect()
    }

    /// Tells the audit file and the log.
    fn note(&self, act: Act, entries: &[Entry], refused: Option<&Unrevoked>, asker: Asker) {
        let Asker { uid, pid } = asker;
        let reason = match refused {
            None => "",
            Some(Unrevoked::Refused(refused)) => refused.word(),
            Some(_) => "unanswered",
        };
        let at = UnixMillis::now();
        for entry in entries {
            self.notes.write(Note {
                at,
                act,
                kind: entry.id.kind(),
                name: called(entry),
                reason,
                by: By::Socket { uid, pid },
            });
        }
        let first = entries.first();
        let kind = first.map_or("", |entry| entry.id.kind().word());
        let (act, entries) = (act.word(), entries.len());
        match refused {
            None => tracing::info!(
                act,
                entries,
                kind,
                uid,
                pid,
                "revocations: done and in force"
            ),
            Some(_) => tracing::warn!(
                act,
                entries,
                kind,
                uid,
                pid,
                reason,
                "revocations: not done"
            ),
        }
    }
}
