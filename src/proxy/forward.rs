//! What the SCEF is told beside the request itself: who asks, verified.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::audit::RequestId;
use crate::http::h1;
use crate::http::head::RequestHead;
use crate::peer::Peer;

use super::gate::Permit;

/// The field lines that name the sender of a connection's requests: made once, completed for
/// each request.
pub struct Identity {
    lines: Vec<u8>,
    /// Where the part begins that each request writes anew.
    fixed: usize,
}

impl Identity {
    /// Of a connection.
    pub fn new(peer: &Peer, address: SocketAddr) -> Self {
        let mut lines = Vec::with_capacity(2 * peer.certificate().len());
        //= RFC 9440 section 2.2
        //# The certificate travels as a byte sequence: base64 of its DER between colons.
        lines.extend_from_slice(b"Client-Cert: :");
        lines.extend_from_slice(STANDARD.encode(peer.certificate()).as_bytes());
        //= RFC 7239 section 4
        //# An IPv6 address stands in brackets, and with its port in quotes.
        lines.extend_from_slice(format!(":\r\nForwarded: for=\"{address}\"").as_bytes());
        let fixed = lines.len();
        Self { lines, fixed }
    }

    /// Writes the head of an admitted request as the SCEF will see it, but for its end.
    pub fn write_head(
        &mut self,
        out: &mut Vec<u8>,
        head: &RequestHead<'_, '_>,
        permit: &Permit<'_>,
        request_id: &RequestId,
    ) {
        self.complete(head, permit, request_id);
        h1::write_request_head(out, head, &self.lines);
    }

    /// Writes the head of a GET of `path`, in the name of who sends an admitted request.
    pub fn write_look(
        &mut self,
        path: &str,
        head: &RequestHead<'_, '_>,
        permit: &Permit<'_>,
        request_id: &RequestId,
    ) -> Vec<u8> {
        self.complete(head, permit, request_id);
        let parts = [
            b"GET ",
            path.as_bytes(),
            b" HTTP/1.1\r\nHost: ",
            head.host.as_bytes(),
            b"\r\nAccept: application/json\r\n",
            &self.lines,
            b"\r\n",
        ];
        parts.concat()
    }

    fn complete(
        &mut self,
        head: &RequestHead<'_, '_>,
        permit: &Permit<'_>,
        request_id: &RequestId,
    ) {
        self.lines.truncate(self.fixed);
        for part in [
            ";proto=https;host=\"",
            head.host,
            "\"\r\nX-Request-Id: ",
            request_id.as_str(),
            "\r\nX-SCS-AS-Id: ",
            permit.scs_as_id(),
            "\r\n",
        ] {
            self.lines.extend_from_slice(part.as_bytes());
        }
    }
}
