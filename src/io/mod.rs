//! Sockets on the ring: streams that own their buffers, accepting and connecting, deadlines.
//!
//! `tokio-uring` never cancels an operation that is dropped, so nothing here is ever dropped to
//! stop it: an operation in flight lives in its [`Stream`], is polled as often as one likes, and
//! ends when the socket is shut down.

pub mod accept;
pub mod buffers;
pub mod cpu;
pub mod ktls;
pub mod pause;
pub mod steering;
pub mod stream;
pub mod turnstile;
pub mod watch;

pub use accept::Listener;
pub use buffers::Buffers;
pub use pause::Pause;
pub use stream::Stream;
pub use turnstile::{Length, Pass, Turnstile};
pub use watch::{Expired, Watch, Watches};
