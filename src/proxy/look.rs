//! A look at what a request is about, where that decides and only the SCEF knows it: nothing about
//! resources is kept here.

use std::mem::MaybeUninit;
use std::rc::Rc;

use crate::authz::apis::configured::Served;
use crate::authz::apis::shape::Shape;
use crate::authz::apis::{Operation, Verb};
use crate::authz::content;
use crate::http::fields;
use crate::http::head::{self, Method};
use crate::http::path;
use crate::limits::{FIELDS_MAX, RECV_BYTES};

use super::connection::Connection;
use super::content::Held;
use super::denial::Denial;
use super::exchange::{Broken, ask, received, take_body};
use super::source::Source;
use super::upstream::{self, Link};

/// What is looked at, and how it is asked for.
pub(super) struct Look {
    /// The head of the GET.
    pub head: Vec<u8>,
    /// What its answer is.
    pub gives: Shape,
    /// It is what the request itself is to.
    pub is_itself: bool,
}

/// The resource that says whom an operation is about: the one that it is to, or the nearest around
/// it that names subscribers. None where there is none, and nobody is named by it.
pub fn place<'p>(path: &'p str, is_creation: bool, served: &Served) -> Option<(&'p str, Shape)> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1);
    let mut ends: Vec<usize> = ends.collect();
    match is_creation {
        // What is to be made is in no representation yet.
        true => {}
        false => ends.push(path.len()),
    }
    ends.into_iter().rev().find_map(|end| {
        let path = path.get(..end)?;
        let found = served.operation(path, Some(Verb::Get), path::decode).ok()?;
        let Operation { action, .. } = found;
        // A list says nothing about one of its elements.
        let is_it = match end == path.len() && !is_creation {
            true => content::names_subscribers(action.gives),
            false => action.gives.item().is_none() && content::names_subscribers(action.gives),
        };
        is_it.then_some((path, action.gives))
    })
}

/// What the SCEF has there now.
///
/// # Errors
/// It has nothing there, or it cannot be seen.
pub(super) async fn at(
    connection: &mut Connection,
    look: &Look,
    held: &mut Held,
) -> Result<Vec<u8>, Broken> {
    let local = Rc::clone(&connection.local);
    let mut link = upstream::link(&local, &connection.watch, connection.exchange_by).await?;
    loop {
        link.stream.outbox = look.head.clone();
        link.stream.start_send();
        link.stream.start_recv(RECV_BYTES);
        let seen = seen(connection, &mut link, held).await;
        match seen {
            Err(Broken::Denied(Denial::UpstreamClosed)) if link.reused => {
                local.counters.upstream_retries.bump();
                link = upstream::connect(&local, &connection.watch, connection.exchange_by).await?;
            }
            Ok((representation, lives)) => {
                if lives {
                    link.give_back(&local);
                }
                return Ok(representation);
            }
            Err(broken) => return Err(broken),
        }
    }
}

/// The representation, and whether the connection can be used again.
async fn seen(
    connection: &mut Connection,
    link: &mut Link,
    held: &mut Held,
) -> Result<(Vec<u8>, bool), Broken> {
    let end = ask(connection, link, None).await?;
    let (mut body, lives) = {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::response(&link.stream.inbox[..end], &mut slots, Method::Get)
            .map_err(Denial::UpstreamMalformed)?;
        match head.status {
            200 => {}
            404 | 410 => return Err(Denial::ResourceUnknown.into()),
            _ => return Err(Denial::ResourceUnseen("status").into()),
        }
        if fields::are_of_coded_body(head.fields) {
            return Err(Denial::ResourceUnseen("content_coding").into());
        }
        (Source::of(head.body), head.keep_alive)
    };
    link.stream.inbox.drain(..end);
    let bytes_max = connection.local.snapshot().limits.body_bytes_max;
    let bounds = (bytes_max, Denial::ResourceUnseen("too_long"));
    let mut representation = Vec::new();
    take_body(link, &mut body, &mut representation)?;
    received(
        connection,
        link,
        &mut body,
        bounds,
        &mut representation,
        held,
    )
    .await?;
    // What comes behind it is nobody's.
    Ok((representation, lives && link.stream.inbox.is_empty()))
}
