//! Requests with opaque tokens that this shard does not remember: they wait for what the issuer
//! says, and are judged again then.

use std::pin::Pin;
use std::rc::Rc;

use crate::authz::introspection::NotTaken;
use crate::authz::token::VerifiedToken;
use crate::limits::{INTROSPECTION_SLACK, INTROSPECTION_WAIT};
use crate::peer::ClientIndex;

use super::connection::{Asked, Connection};
use super::denial::Denial;
use super::gate;
use super::local::Local;
use super::refusal::Refused;

/// Asks about the token of the request whose head is the first `end` bytes, which was `unasked`
/// when it was judged, and judges it again.
pub(super) async fn open_again(
    connection: &mut Connection,
    end: usize,
    unasked: Refused,
) -> Result<Asked, Refused> {
    let answered = ask(connection, end).await;
    // Meanwhile the connection may have been ended, which what has come on it is not told.
    let answered = match connection.standing.lost() {
        Some(_) => Err(Denial::CertificateDistrusted),
        None => answered,
    };
    // That was waited for, and is no part of the checks.
    connection.account.judging();
    match answered {
        Ok(()) => connection.open_request(end, Some(unasked.id)),
        Err(denial) => {
            connection.used(end);
            Err(Refused { denial, ..unasked })
        }
    }
}

/// Has the shard remember the token, if its issuer says that it is good.
async fn ask(connection: &mut Connection, end: usize) -> Result<(), Denial> {
    let token = connection.token_of(end)?;
    let verified = asked_about(connection, &token).await?;
    let local = Rc::clone(&connection.local);
    let (in_force, cache) = (local.snapshot(), &mut local.tokens.borrow_mut());
    let remembered = gate::remember(&token, &verified, &in_force, cache, local.seconds());
    let peer = connection.standing.peer();
    let owned = remembered.and_then(|grant| gate::owned(&grant, peer, &in_force));
    if owned.is_err() {
        charge_question(connection);
    }
    owned
}

/// What the issuer of a token says of it, by the rules that are in force.
///
/// # Errors
/// That it is no good, or nothing.
pub(super) async fn asked_about(
    connection: &mut Connection,
    token: &[u8],
) -> Result<VerifiedToken, Denial> {
    let local = Rc::clone(&connection.local);
    let in_force = local.snapshot();
    let asked = in_force.introspection.as_ref();
    let asked = asked.ok_or(Denial::TokenUnasked)?;
    let client = connection.standing.peer().client();
    let may_ask = {
        let refused = local.refused_tokens.borrow();
        let now = local.seconds();
        refused.has_budget(client, now) && refused.has_questions(client, now)
    };
    if !may_ask {
        return Err(Denial::TokenFailuresExceeded);
    }
    let answered = asked.desk.ask(token, client);
    let mut answered = answered.ok_or(Denial::TokenUnasked)?;
    // Who asks keeps its own deadline, and says then that nobody has answered.
    let by = INTROSPECTION_WAIT + INTROSPECTION_SLACK;
    connection.watch.set(connection.watch.now().after(by));
    let waited = connection.watch.wait(|cx| Pin::new(&mut answered).poll(cx));
    let verdict = match waited.await {
        Ok(Ok(verdict)) => verdict,
        // It is asked no more.
        Ok(Err(_)) => return Err(Denial::TokenUnasked),
        Err(_) => return Err(Denial::IntrospectionDeadline),
    };
    let verified = verdict.map_err(|why| match why {
        NotTaken::Refused(fault) => {
            charge(&local, client);
            Denial::TokenInvalid(fault)
        }
        NotTaken::OverBudget => Denial::TokenFailuresExceeded,
        NotTaken::Unanswered => Denial::TokenUnasked,
    })?;
    // What was said by other rules than are in force now is nothing to go by.
    match Rc::ptr_eq(&in_force, &local.snapshot()) {
        true => Ok(verified),
        false => Err(Denial::TokenUnasked),
    }
}

/// Charges a client for a question about a token that its issuer calls good, so that nobody
/// remembers it as bad.
pub(super) fn charge_question(connection: &Connection) {
    let local = &connection.local;
    let client = connection.standing.peer().client();
    let mut refused = local.refused_tokens.borrow_mut();
    refused.charge_question(client, local.seconds());
}

/// Charges a client for a question that its token was not worth.
fn charge(local: &Local, client: ClientIndex) {
    let mut refused = local.refused_tokens.borrow_mut();
    refused.charge(client, local.seconds());
}
