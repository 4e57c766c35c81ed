//! A small SCEF: MonitoringEvent, NIDD configuration and DeviceTriggering, on a thread of its
//! own. It keeps what it is told and no network stands behind it; what it says over T8 is real.

mod apis;
mod patch;
mod reply;
mod store;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use apis::{APIS, Api, InvalidParam, Patch};
use reply::{Fault, json, no_content};
use store::{Place, Store};

/// A T8 body is a few KiB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A running SCEF; it ends when this is dropped.
pub struct Scef {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scef {
    /// Starts it on a loopback port that the kernel chooses.
    ///
    /// # Errors
    /// Says what was in the way.
    pub fn start(at: SocketAddr) -> Result<Self, String> {
        let fault = |error: std::io::Error| format!("the demo's SCEF cannot start: {error}");
        let listener = TcpListener::bind(at).map_err(fault)?;
        listener.set_nonblocking(true).map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(fault)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("scef".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener) => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(fault)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Scef {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, router()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the demo's SCEF ended");
    }
}

type Shared = Arc<Mutex<Store>>;

/// Every path comes to one place: which API, whose, and which resource is read there once.
fn router() -> Router {
    Router::new().fallback(answer).with_state(Shared::default())
}

async fn answer(State(store): State<Shared>, request: Request<Body>) -> Response {
    match handle(&store, request).await {
        Ok(response) => response,
        Err(fault) => fault.into_response(),
    }
}

/// What a path names: `/{api}/v1/{scsAsId}/{collection}[/{number}]`.
struct Named<'p> {
    api: &'static Api,
    scs_as_id: &'p str,
    /// The last segment of a resource's path; none for the collection.
    resource: Option<&'p str>,
}

fn named(path: &str) -> Option<Named<'_>> {
    let mut segments = path.strip_prefix('/')?.split('/');
    let api = segments.next()?;
    let api = APIS.iter().find(|known| known.name == api)?;
    let is_v1 = segments.next()? == "v1";
    let scs_as_id = segments.next().filter(|id| !id.is_empty())?;
    let is_collection = segments.next()? == api.collection;
    let resource = segments.next();
    (is_v1 && is_collection && segments.next().is_none()).then_some(Named {
        api,
        scs_as_id,
        resource,
    })
}

async fn handle(store: &Shared, request: Request<Body>) -> Result<Response, Fault> {
    let (head, body) = request.into_parts();
    let Named {
        api,
        scs_as_id,
        resource,
    } = named(head.uri.path()).ok_or(Fault::NotFound)?;
    check_identity(&head.headers, scs_as_id)?;
    let place: Place = (api.name, scs_as_id.to_owned());
    let Some(resource) = resource else {
        return match head.method {
            Method::GET | Method::HEAD => Ok(json(StatusCode::OK, &locked(store).list(&place))),
            Method::POST => {
                let sent = read(&head.headers, body, "application/json").await?;
                create(store, api, place, sent, &head.headers)
            }
            _ => Err(Fault::MethodNotAllowed(api.allow(true))),
        };
    };
    let number = resource.parse().map_err(|_| Fault::NotFound)?;
    let old = locked(store).get(&place, number).cloned();
    match head.method {
        Method::GET | Method::HEAD => Ok(json(StatusCode::OK, &old.ok_or(Fault::NotFound)?)),
        Method::PUT if api.has_put => {
            let old = old.ok_or(Fault::NotFound)?;
            let sent = read(&head.headers, body, "application/json").await?;
            let new = checked(api, sent, own_link(&old))?;
            locked(store).put(place, number, new.clone());
            Ok(json(StatusCode::OK, &new))
        }
        Method::PATCH => {
            let old = old.ok_or(Fault::NotFound)?;
            let sent = read(&head.headers, body, api.patch.media_type()).await?;
            let new = checked(api, patched(api, &old, &sent)?, own_link(&old))?;
            locked(store).put(place, number, new.clone());
            Ok(match api.patch {
                Patch::Operations => no_content(),
                Patch::Merge(_) | Patch::Attributes(_) => json(StatusCode::OK, &new),
            })
        }
        Method::DELETE => match locked(store).remove(&place, number) {
            true => Ok(no_content()),
            false => Err(Fault::NotFound),
        },
        _ => Err(Fault::MethodNotAllowed(api.allow(false))),
    }
}

fn locked(store: &Shared) -> std::sync::MutexGuard<'_, Store> {
    // What a panic has left behind is whole: each change is one insertion or removal.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gateway has verified who asks, and says so; a SCEF behind it has only to compare.
fn check_identity(headers: &HeaderMap, scs_as_id: &str) -> Result<(), Fault> {
    let once = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    let is_same = once("x-scs-as-id") == Some(scs_as_id);
    match is_same && once("client-cert").is_some() {
        true => Ok(()),
        false => Err(Fault::Foreign),
    }
}

async fn read(headers: &HeaderMap, body: Body, media_type: &str) -> Result<Value, Fault> {
    let is_framed = headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING);
    if !is_framed {
        return Err(Fault::LengthRequired);
    }
    let sent = headers.get(header::CONTENT_TYPE);
    let sent = sent
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(media_type) {
        return Err(Fault::MediaType);
    }
    let octets = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let octets = octets.map_err(|_| Fault::TooLarge)?;
    serde_json::from_slice(&octets)
        .map_err(|_| Fault::Invalid(vec![InvalidParam::new("", "is not JSON")]))
}

fn create(
    store: &Shared,
    api: &Api,
    place: Place,
    sent: Value,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    // Looked at before a number is given out; the link is known only after.
    checked(api, sent.clone(), String::new())?;
    let mut store = locked(store);
    let number = store.reserve(&place).ok_or(Fault::Full)?;
    let base = reply::base(headers);
    let link = format!(
        "{base}/{}/v1/{}/{}/{number}",
        api.name, place.1, api.collection
    );
    let resource = checked(api, sent, link.clone())?;
    store.put(place, number, resource.clone());
    Ok(reply::created(&resource, &link))
}

/// A resource as it will be kept, or what is wrong with it.
fn checked(api: &Api, sent: Value, link: String) -> Result<Value, Fault> {
    let Value::Object(mut resource) = sent else {
        return Err(Fault::Invalid(vec![InvalidParam::new(
            "",
            "must be an object",
        )]));
    };
    let faults = api.faults(&resource);
    if !faults.is_empty() {
        return Err(Fault::Invalid(faults));
    }
    api.complete(&mut resource, link);
    Ok(Value::Object(resource))
}

fn own_link(resource: &Value) -> String {
    let link = resource.get("self").and_then(Value::as_str);
    link.unwrap_or_default().to_owned()
}

fn patched(api: &Api, old: &Value, sent: &Value) -> Result<Value, Fault> {
    let mut new = old.clone();
    match (api.patch, &mut new, sent) {
        (Patch::Operations, new, patch) => {
            patch::json_patch(new, patch).map_err(|fault| Fault::Invalid(vec![fault]))?;
        }
        (Patch::Merge(names), Value::Object(new), Value::Object(patch)) => {
            only(patch, names)?;
            patch::merge(new, patch);
        }
        (Patch::Attributes(names), Value::Object(new), Value::Object(patch)) => {
            only(patch, names)?;
            new.extend(patch.clone());
        }
        _ => {
            return Err(Fault::Invalid(vec![InvalidParam::new(
                "",
                "must be an object",
            )]));
        }
    }
    Ok(new)
}

fn only(patch: &Map<String, Value>, names: &[&str]) -> Result<(), Fault> {
    let other = patch.keys().filter(|name| !names.contains(&name.as_str()));
    let faults: Vec<InvalidParam> = other
        .map(|name| InvalidParam::new(name, "cannot be changed"))
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Fault::Invalid(faults)),
    }
}

#[cfg(test)]
mod tests;
