//! A SCEF that does what it is told: plain threads and blocking sockets, so that nothing of the
//! gateway's own code is between a test and the bytes on the wire.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{WAIT, wait_until};

/// What the SCEF does next.
#[derive(Clone, Debug)]
pub enum Act {
    /// Reads the request's body to its end.
    ReadBody,
    /// Sends these octets, whatever they are.
    Send(Vec<u8>),
    /// Sends so many octets of body.
    Pour(u64),
    /// Waits.
    Pause(Duration),
    /// 200 with the request's body, by Content-Length.
    EchoWithLength,
    /// 200 with the request's body in chunks of at most this many octets.
    EchoInChunks(usize),
    /// Ends the connection in order.
    Close,
    /// Ends the connection by a reset.
    Reset,
    /// Says nothing more until the other end goes away.
    Hang,
}

/// What to do about one request; after the last act the connection goes on, unless closed.
pub type Script = Vec<Act>;

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Number of the connection it came by, from 0.
    pub connection: usize,
    /// The head, blank line included.
    pub head: Vec<u8>,
    pub method: String,
    pub target: String,
    /// Fields in order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body without its framing, as far as it was read.
    pub body: Vec<u8>,
    /// Octets of body that were read, also of those too long to keep.
    pub body_bytes: u64,
    /// Whether the body was read to its end.
    pub complete: bool,
}

impl Received {
    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that must be there once at most.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} more than once: {values:?}");
        values.first().copied()
    }
}

/// A good answer, about as long as a small T8 representation: 306 octets of JSON.
pub fn usual_body() -> Vec<u8> {
    let padding = "0".repeat(306 - r#"{"self":"/subscriptions/1","padding":""}"#.len());
    format!(r#"{{"self":"/subscriptions/1","padding":"{padding}"}}"#).into_bytes()
}

/// A 200 with this body, by Content-Length.
pub fn ok(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// So many octets of a body, in words: one without end could not be looked through.
pub fn poured(bytes: usize) -> Vec<u8> {
    b"poured,".iter().copied().cycle().take(bytes).collect()
}

/// A body longer than this is counted, not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// A running SCEF; it ends when dropped.
pub struct Origin {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    stopping: AtomicBool,
    accepted: AtomicUsize,
    poured_bytes: AtomicU64,
    usual: Mutex<Script>,
    scripts: Mutex<VecDeque<Script>>,
    received: Mutex<Vec<Received>>,
    open: Mutex<Vec<(usize, TcpStream)>>,
}

impl Origin {
    /// Listens on a free loopback port and answers every request with [`usual_body`].
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Listens where another SCEF has been.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a free loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            stopping: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            poured_bytes: AtomicU64::new(0),
            usual: Mutex::new(vec![Act::ReadBody, Act::Send(ok(&usual_body()))]),
            scripts: Mutex::default(),
            received: Mutex::default(),
            open: Mutex::default(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            // Its connections' threads have its name as well.
            let thread = thread::Builder::new().name("origin".to_owned());
            let accepts = thread.spawn(move || accept(&listener, &shared));
            accepts.expect("a thread")
        };
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// What to do about every request that has no script of its own.
    pub fn usually(&self, script: Script) {
        *self
            .shared
            .usual
            .lock()
            .expect("no test panics with it held") = script;
    }

    /// What to do about the next request that has no script yet.
    pub fn script(&self, script: Script) {
        self.shared
            .scripts
            .lock()
            .expect("no test panics with it held")
            .push_back(script);
    }

    /// Sends these octets in answer to the next request, its body read.
    pub fn answer(&self, bytes: impl Into<Vec<u8>>) {
        self.script(vec![Act::ReadBody, Act::Send(bytes.into())]);
    }

    /// Everything that has arrived.
    pub fn received(&self) -> Vec<Received> {
        self.shared
            .received
            .lock()
            .expect("no test panics with it held")
            .clone()
    }

    /// Everything that has arrived since it was last taken; while nothing is under way.
    pub fn take(&self) -> Vec<Received> {
        let mut received = self
            .shared
            .received
            .lock()
            .expect("no test panics with it held");
        std::mem::take(&mut received)
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> usize {
        self.shared
            .received
            .lock()
            .expect("no test panics with it held")
            .len()
    }

    /// The one request that has arrived.
    pub fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "requests that reached the SCEF");
        received.remove(0)
    }

    /// The newest request.
    pub fn last(&self) -> Received {
        self.received()
            .pop()
            .expect("a request that reached the SCEF")
    }

    /// Waits until so many requests have arrived.
    pub fn await_requests(&self, number: usize) {
        wait_until("requests at the SCEF", || self.requests() >= number);
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.shared
            .open
            .lock()
            .expect("no test panics with it held")
            .len()
    }

    /// Octets that [`Act::Pour`] got rid of so far: what the other side has taken, or buffers hold.
    pub fn poured_bytes(&self) -> u64 {
        self.shared.poured_bytes.load(Ordering::SeqCst)
    }

    /// Closes every connection there is, as a SCEF does with idle ones.
    pub fn close_connections(&self) {
        for (_, stream) in self
            .shared
            .open
            .lock()
            .expect("no test panics with it held")
            .iter()
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
        wait_until("connections to end", || self.open_connections() == 0);
    }

    /// Ends the SCEF; its address can be listened on again.
    pub fn stop(mut self) -> SocketAddr {
        self.end();
        self.address
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        let _ = acceptor.join();
        for (_, stream) in self
            .shared
            .open
            .lock()
            .expect("no test panics with it held")
            .iter()
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(copy) = stream.try_clone() else {
            continue;
        };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        shared
            .open
            .lock()
            .expect("no thread panics with it held")
            .push((number, copy));
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let mut connection = Connection {
                number,
                reader: BufReader::new(stream),
                shared: Arc::clone(&shared),
            };
            // A peer that goes away ends the connection; that is no fault of the SCEF's.
            let _ = connection.serve();
            let mut open = shared.open.lock().expect("no thread panics with it held");
            open.retain(|(other, _)| *other != number);
        });
    }
}

struct Connection {
    number: usize,
    reader: BufReader<TcpStream>,
    shared: Arc<Shared>,
}

/// Whether a connection lives on after an act.
enum Then {
    GoOn,
    End,
}

impl Connection {
    fn serve(&mut self) -> io::Result<()> {
        self.reader.get_ref().set_nodelay(true)?;
        while let Some(request) = self.read_head()? {
            let index = {
                let mut received = self.shared.received.lock().expect("no panics with it held");
                received.push(request);
                received.len() - 1
            };
            let script = self
                .shared
                .scripts
                .lock()
                .expect("no panics with it held")
                .pop_front();
            let script =
                script.unwrap_or_else(|| self.shared.usual.lock().expect("no panics").clone());
            for act in script {
                if let Then::End = self.perform(&act, index)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn perform(&mut self, act: &Act, index: usize) -> io::Result<Then> {
        match act {
            Act::ReadBody => self.read_body(index)?,
            Act::Send(bytes) => self.stream().write_all(bytes)?,
            Act::Pour(bytes) => self.pour(*bytes)?,
            Act::Pause(time) => thread::sleep(*time),
            Act::EchoWithLength => {
                self.read_body(index)?;
                let answer = ok(&self.request(index).body);
                self.stream().write_all(&answer)?;
            }
            Act::EchoInChunks(size) => {
                self.read_body(index)?;
                let answer = chunked_ok(&self.request(index).body, *size);
                self.stream().write_all(&answer)?;
            }
            Act::Close => {
                self.stream().shutdown(Shutdown::Both)?;
                return Ok(Then::End);
            }
            Act::Reset => {
                socket2::SockRef::from(self.reader.get_ref()).set_linger(Some(Duration::ZERO))?;
                // The copy kept for close_connections() would keep the socket open.
                let mut open = self.shared.open.lock().expect("no panics with it held");
                open.retain(|(other, _)| *other != self.number);
                return Ok(Then::End);
            }
            Act::Hang => {
                let _ = io::copy(&mut self.reader, &mut io::sink());
                return Ok(Then::End);
            }
        }
        Ok(Then::GoOn)
    }

    fn stream(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }

    fn request(&self, index: usize) -> Received {
        self.shared.received.lock().expect("no panics with it held")[index].clone()
    }

    fn pour(&mut self, bytes: u64) -> io::Result<()> {
        let piece = poured(64 * 1024);
        let mut left = bytes;
        while left > 0 {
            let next = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let sent = self.stream().write(&piece[..next])?;
            left -= sent as u64;
            self.shared
                .poured_bytes
                .fetch_add(sent as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Reads a head; none when the other end has closed.
    fn read_head(&mut self) -> io::Result<Option<Received>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if self.reader.read_until(b'\n', &mut head)? == 0 {
                return Ok(None);
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.trim_end().split("\r\n");
        let mut words = lines
            .next()
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned);
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Some(Received {
            connection: self.number,
            head,
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            fields,
            ..Received::default()
        }))
    }

    fn read_body(&mut self, index: usize) -> io::Result<()> {
        let request = self.request(index);
        if request.complete {
            return Ok(());
        }
        if request.field("transfer-encoding") == Some("chunked") {
            while self.read_chunk(index)? {}
        } else {
            let length = request.field("content-length").map_or("0", |value| value);
            let length = length.parse().map_err(io::Error::other)?;
            self.read_bytes(index, length)?;
        }
        self.note(index, |request| request.complete = true);
        Ok(())
    }

    fn read_chunk(&mut self, index: usize) -> io::Result<bool> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
        self.read_bytes(index, size)?;
        let mut end = [0; 2];
        self.reader.read_exact(&mut end)?;
        if &end == b"\r\n" {
            return Ok(size > 0);
        }
        // The gateway forwards no trailers, so anything else here is a framing fault of its own.
        Err(io::Error::other("a chunk that does not end with CRLF"))
    }

    fn read_bytes(&mut self, index: usize, length: u64) -> io::Result<()> {
        let mut left = length;
        let mut piece = vec![0; 64 * 1024];
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let got = self.reader.read(&mut piece[..want])?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= got as u64;
            self.note(index, |request| {
                request.body_bytes += got as u64;
                if request.body.len() + got <= KEPT_BYTES_MAX {
                    request.body.extend_from_slice(&piece[..got]);
                }
            });
        }
        Ok(())
    }

    fn note(&self, index: usize, change: impl FnOnce(&mut Received)) {
        change(&mut self.shared.received.lock().expect("no panics with it held")[index]);
    }
}

fn chunked_ok(body: &[u8], size: usize) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(size) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

/// An address at which connecting takes for ever: somebody listens and never accepts, and the
/// queue of those who wait is full.
pub struct Deaf {
    pub address: SocketAddr,
    _listener: socket2::Socket,
    _waiting: Vec<TcpStream>,
}

impl Deaf {
    pub fn start() -> Self {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .expect("a free port");
        socket.listen(0).expect("a bound socket");
        let address = socket
            .local_addr()
            .expect("bound")
            .as_socket()
            .expect("IPv4");
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
            assert!(waiting.len() < 64, "a queue of length 0 that never fills");
        }
        Self {
            address,
            _listener: socket,
            _waiting: waiting,
        }
    }
}

/// Reads whatever comes within [`WAIT`] until the other end closes: for the tests of this file.
pub fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let _ = stream.set_read_timeout(Some(WAIT));
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}
