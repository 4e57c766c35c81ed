//! All connections and what happens on them, event by event.

use std::io;
use std::net::Shutdown;

use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};

use crate::arguments::Mode;
use crate::connection::{Connection, Stage, UnderWay};
use crate::link::{Link, Progress};
use crate::pace::Pace;
use crate::reply::{Answer, ReplyFault};
use crate::request::Requests;
use crate::ring::{Chunk, Completion, Ring};
use crate::tally::{Failure, Operation, Tally};

/// After a failure a connection rests, so that a server that refuses is not stormed.
const REST_NS: u64 = 50_000_000;
/// A goodbye may take so long to be sent.
const LEAVING_NS_MAX: u64 = 500_000_000;
/// An idle connection that the server ends cannot be held.
const IDLE_CLOSED: &str = "the server closed an idle connection";
/// No buffer for receiving was free: more will be by the next turn.
const ENOBUFS: i32 = 105;

/// Where operations come from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// Connections are set up, with what that takes.
    SetUp,
    /// The next begins when the last has ended.
    ClosedLoop,
    /// The next begins when its time has come.
    OpenLoop(Pace),
    /// There are no more.
    Over,
}

/// What stays the same during a run.
pub struct Terms {
    /// What an operation is.
    pub mode: Mode,
    /// The name that TLS asks for.
    pub name: ServerName<'static>,
    /// The target's family of addresses.
    pub domain: Domain,
    /// Limit of an operation, in ns.
    pub timeout_ns: u64,
}

/// The connections of a run.
pub struct Load {
    terms: Terms,
    ring: Ring,
    connections: Vec<Connection>,
    requests: Requests,
    /// Counts.
    pub tally: Tally,
    /// Where operations come from.
    pub source: Source,
    /// Connections that have been set up.
    pub ready: usize,
    /// Ticks so far.
    pub ticks: u64,
}

/// What a connection's bytes said, after they were read.
enum Heard {
    Nothing,
    Answer(Answer),
    Fault(ReplyFault),
}

impl Load {
    /// All closed.
    pub fn new(
        terms: Terms,
        ring: Ring,
        connections: Vec<Connection>,
        requests: Requests,
        tally: Tally,
    ) -> Self {
        Self {
            terms,
            ring,
            connections,
            requests,
            tally,
            source: Source::SetUp,
            ready: 0,
            ticks: 0,
        }
    }

    /// Their number.
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    /// The ring, for what concerns no connection.
    pub fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }

    /// Those that have an operation under way.
    pub fn busy(&self) -> usize {
        let busy = |connection: &&Connection| connection.operation.is_some();
        self.connections.iter().filter(busy).count()
    }

    /// Whether an open loop has operations that have not been begun.
    pub fn is_due(&self) -> bool {
        matches!(&self.source, Source::OpenLoop(pace) if pace.next_ns().is_some())
    }

    /// Those that can be asked.
    pub fn open(&self) -> usize {
        let open = |connection: &&Connection| connection.stage == Stage::Open;
        self.connections.iter().filter(open).count()
    }

    /// Those that have a socket.
    pub fn held(&self) -> usize {
        let held = |connection: &&Connection| connection.socket.is_some();
        self.connections.iter().filter(held).count()
    }

    /// Begins to set one up: its handshake, and in some modes its first operation.
    ///
    /// # Errors
    /// The ring's own.
    pub fn set_up(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        if matches!(self.terms.mode, Mode::Resume | Mode::Idle) {
            let operation = Operation { from_ns: now_ns };
            self.connections[at].operation = Some(operation);
        }
        if self.terms.mode == Mode::Handshake {
            self.is_ready(at);
            return Ok(());
        }
        self.connect(at, now_ns)
    }

    /// Takes the next operation when there is one, and goes on with what there is to do.
    ///
    /// # Errors
    /// The ring's own.
    pub fn proceed(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        if connection.operation.is_none() {
            let from_ns = match &self.source {
                Source::ClosedLoop => Some(now_ns),
                Source::OpenLoop(pace) => pace
                    .intended_for(at, connection.taken)
                    .filter(|intended| *intended <= now_ns),
                Source::SetUp | Source::Over => None,
            };
            if let Some(from_ns) = from_ns {
                connection.taken += 1;
                connection.operation = Some(Operation { from_ns });
            }
        }
        let over = matches!(self.source, Source::Over);
        match (connection.stage, connection.operation) {
            (Stage::Open, Some(operation)) if !connection.asked => {
                if self.terms.mode == Mode::KeepAlive {
                    self.tally.began(operation, now_ns);
                }
                self.ask(at, now_ns)
            }
            (Stage::Closed, _) if now_ns < connection.not_before_ns => Ok(()),
            (Stage::Closed, Some(operation)) => {
                if self.terms.mode != Mode::KeepAlive {
                    self.tally.began(operation, now_ns);
                }
                self.connect(at, now_ns)
            }
            // Lost while nothing was asked: there again before the next request.
            (Stage::Closed, None) if self.terms.mode == Mode::KeepAlive && !over => {
                self.connect(at, now_ns)
            }
            _ => Ok(()),
        }
    }

    /// Goes on with every connection whose time has come in an open loop.
    ///
    /// # Errors
    /// The ring's own.
    pub fn proceed_with_due(&mut self, now_ns: u64) -> io::Result<()> {
        while let Source::OpenLoop(pace) = &mut self.source {
            let Some(at) = pace.next_due(now_ns) else {
                break;
            };
            self.proceed(at, now_ns)?;
        }
        Ok(())
    }

    /// Goes on with all.
    ///
    /// # Errors
    /// The ring's own.
    pub fn proceed_with_all(&mut self, now_ns: u64) -> io::Result<()> {
        (0..self.count()).try_for_each(|at| self.proceed(at, now_ns))
    }

    /// Handles what the last turn completed.
    ///
    /// # Errors
    /// The ring's own.
    pub fn handle_completions(&mut self, now_ns: u64) -> io::Result<()> {
        while let Some(completion) = self.ring.next_completion() {
            match completion {
                Completion::Connected { at, result } => self.connected(at, result, now_ns)?,
                Completion::Sent { at, buffer, result } => {
                    self.sent(at, buffer, result, now_ns)?;
                }
                Completion::Received { at, result, more } => {
                    self.connections[at].under_way.receive = more;
                    match result {
                        Ok(Some(chunk)) => self.received(at, chunk, now_ns)?,
                        Ok(None) => self.ended(at, now_ns)?,
                        Err(error) if error.raw_os_error() == Some(ENOBUFS) => {}
                        Err(error) => self.broken(at, &error, now_ns)?,
                    }
                    self.receive(at)?;
                    self.settle(at, now_ns)?;
                }
                Completion::Tick => self.tick(now_ns)?,
            }
        }
        Ok(())
    }

    /// Says goodbye on all connections.
    ///
    /// # Errors
    /// The ring's own.
    pub fn leave_all(&mut self, now_ns: u64) -> io::Result<()> {
        self.source = Source::Over;
        for at in 0..self.count() {
            self.connections[at].operation = None;
            match self.connections[at].stage {
                Stage::Open => self.leave(at, now_ns)?,
                Stage::Connecting | Stage::Handshaking => self.close(at, now_ns)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts what has not ended, and what has not even begun of an open loop's schedule.
    pub fn count_unfinished(&mut self, now_ns: u64) {
        for connection in &mut self.connections {
            let waited = "not answered by the end of the run";
            if let Some(operation) = connection.operation.take() {
                let (operation, waited) = (Some(operation), waited.to_owned());
                self.tally
                    .failed(operation, now_ns, Failure::Timeout, waited);
            }
        }
        if let Source::OpenLoop(pace) = self.source {
            for (at, connection) in self.connections.iter_mut().enumerate() {
                while let Some(from_ns) = pace.intended_for(at, connection.taken) {
                    connection.taken += 1;
                    let late = "not sent by the end of the run".to_owned();
                    let operation = Some(Operation { from_ns });
                    self.tally.failed(operation, now_ns, Failure::Timeout, late);
                }
            }
        }
    }

    fn is_ready(&mut self, at: usize) {
        if !self.connections[at].ready {
            self.connections[at].ready = true;
            self.ready += 1;
        }
    }

    fn connect(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.since_ns = now_ns;
        let socket = Socket::new(self.terms.domain, Type::STREAM, Some(Protocol::TCP))
            .and_then(|socket| socket.set_tcp_nodelay(true).map(|()| socket));
        match socket {
            Ok(socket) => {
                connection.stage = Stage::Connecting;
                connection.under_way.connect = true;
                connection.socket = Some(socket);
                let socket = connection.socket.as_ref().map(std::os::fd::AsFd::as_fd);
                socket.map_or(Ok(()), |socket| self.ring.connect(at, socket))
            }
            Err(error) => self.fail(at, Failure::Connect, error.to_string(), now_ns),
        }
    }

    fn connected(&mut self, at: usize, result: io::Result<()>, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.under_way.connect = false;
        if connection.stage != Stage::Connecting {
            return self.settle(at, now_ns);
        }
        if let Err(error) = result {
            return self.fail(at, Failure::Connect, format!("connect: {error}"), now_ns);
        }
        let Some(config) = &connection.config else {
            connection.link = Link::clear();
            self.receive(at)?;
            return self.opened(at, now_ns);
        };
        let tickets_wanted = connection.session.is_some();
        let (name, out) = (&self.terms.name, &mut connection.out);
        match Link::begin(config, name, tickets_wanted, out) {
            Ok(link) => {
                connection.link = link;
                connection.stage = Stage::Handshaking;
                self.receive(at)?;
                self.flush(at)
            }
            Err(fault) => self.fail(at, Failure::Tls, fault.to_string(), now_ns),
        }
    }

    fn opened(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        self.connections[at].stage = Stage::Open;
        if self.terms.mode == Mode::KeepAlive {
            self.is_ready(at);
        }
        self.proceed(at, now_ns)
    }

    /// Writes the next request.
    fn ask(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let (prepared, token) = self.requests.next(at);
        let connection = &mut self.connections[at];
        connection.asked = true;
        connection.since_ns = now_ns;
        connection.reply.expect(prepared.to_head);
        let pieces = prepared.pieces(token);
        match connection.link.send(&pieces, &mut connection.out) {
            Ok(()) => self.flush(at),
            Err(fault) => self.fail(at, Failure::Tls, fault.to_string(), now_ns),
        }
    }

    /// Sends what there is to send, unless a send is under way: its end comes back here.
    fn flush(&mut self, at: usize) -> io::Result<()> {
        let connection = &mut self.connections[at];
        if connection.under_way.send || connection.out.is_empty() {
            return Ok(());
        }
        let Some(socket) = &connection.socket else {
            return Ok(());
        };
        connection.under_way.send = true;
        let buffer = std::mem::take(&mut connection.out);
        let last = connection.stage == Stage::Leaving;
        let socket = std::os::fd::AsFd::as_fd(socket);
        self.ring.send(at, socket, buffer, last)
    }

    fn sent(
        &mut self,
        at: usize,
        mut buffer: Vec<u8>,
        result: io::Result<usize>,
        now_ns: u64,
    ) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.under_way.send = false;
        let whole = result.as_ref().is_ok_and(|sent| *sent == buffer.len());
        buffer.clear();
        if connection.out.is_empty() {
            connection.out = buffer;
        }
        match connection.stage {
            // What is wrong is said by what is received: an alert, or why the peer closed.
            Stage::Handshaking | Stage::Open if !whole && !connection.under_way.receive => {
                let fault = match result {
                    Ok(_) => "send: cut short".to_owned(),
                    Err(error) => format!("send: {error}"),
                };
                self.fail(at, Failure::Closed, fault, now_ns)
            }
            Stage::Handshaking | Stage::Open if whole => self.flush(at),
            Stage::Leaving if whole && !connection.out.is_empty() => self.flush(at),
            Stage::Leaving => self.close(at, now_ns),
            _ => self.settle(at, now_ns),
        }
    }

    /// Lets the kernel receive, when it is not doing so and there is something to come.
    fn receive(&mut self, at: usize) -> io::Result<()> {
        let connection = &mut self.connections[at];
        let wanted = matches!(
            connection.stage,
            Stage::Connecting | Stage::Handshaking | Stage::Open
        );
        let Some(socket) = connection.socket.as_ref().filter(|_| wanted) else {
            return Ok(());
        };
        if connection.under_way.receive {
            return Ok(());
        }
        connection.under_way.receive = true;
        self.ring.receive(at, std::os::fd::AsFd::as_fd(socket))
    }

    fn received(&mut self, at: usize, chunk: Chunk, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        if !matches!(connection.stage, Stage::Handshaking | Stage::Open) {
            self.ring.recycle(chunk);
            return Ok(());
        }
        let mut heard = Heard::Nothing;
        let (reply, out) = (&mut connection.reply, &mut connection.out);
        let bytes = self.ring.bytes(&chunk);
        let progress = connection.link.receive(bytes, out, |text| {
            heard = match (&heard, reply.read(text)) {
                (Heard::Fault(fault), _) => Heard::Fault(*fault),
                (_, Err(fault)) => Heard::Fault(fault),
                (Heard::Answer(_), Ok(_)) if !text.is_empty() => Heard::Fault(ReplyFault::Unasked),
                (Heard::Answer(answer), Ok(_)) => Heard::Answer(*answer),
                (Heard::Nothing, Ok(Some(answer))) => Heard::Answer(answer),
                (Heard::Nothing, Ok(None)) => Heard::Nothing,
            };
        });
        self.ring.recycle(chunk);
        match (progress, heard) {
            (Err(fault), _) => self.fail(at, Failure::Tls, fault.to_string(), now_ns),
            (Ok(_), Heard::Fault(fault)) => self.fail(at, Failure::Http, fault.to_string(), now_ns),
            (Ok(Progress::Open { resumed }), _) => {
                self.tally.shook_hands(resumed, now_ns);
                self.opened(at, now_ns)?;
                self.flush(at)
            }
            (Ok(Progress::Closed), Heard::Answer(answer)) => {
                let closes = Answer {
                    closes: true,
                    ..answer
                };
                self.answered(at, closes, now_ns)
            }
            (Ok(Progress::Closed), Heard::Nothing) => self.ended(at, now_ns),
            (Ok(Progress::Going), Heard::Answer(answer)) => self.answered(at, answer, now_ns),
            (Ok(Progress::Going), Heard::Nothing) => self.flush(at),
        }
    }

    fn answered(&mut self, at: usize, answer: Answer, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.asked = false;
        if let Some(operation) = connection.operation.take() {
            self.tally.ended(operation, now_ns, answer.status);
        }
        match self.terms.mode {
            Mode::Idle => {
                // What an idle connection costs should be the server's memory, not ours.
                connection.out = Vec::new();
                self.is_ready(at);
            }
            Mode::Resume if connection.session.as_ref().is_some_and(|s| s.is_known()) => {
                self.is_ready(at);
            }
            Mode::Resume if matches!(self.source, Source::SetUp) => {
                let fault = "the server gave no session to continue".to_owned();
                return self.fail(at, Failure::Tls, fault, now_ns);
            }
            _ => {}
        }
        let once = matches!(self.terms.mode, Mode::Handshake | Mode::Resume);
        if self.terms.mode == Mode::Idle && answer.closes {
            self.fail(at, Failure::Closed, IDLE_CLOSED.to_owned(), now_ns)
        } else if once || answer.closes {
            self.leave(at, now_ns)
        } else {
            self.proceed(at, now_ns)
        }
    }

    /// The peer will send no more.
    fn ended(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        match connection.stage {
            Stage::Open => match connection.reply.end() {
                Ok(Some(answer)) => self.answered(at, answer, now_ns),
                Ok(None) if self.terms.mode == Mode::Idle => {
                    self.fail(at, Failure::Closed, IDLE_CLOSED.to_owned(), now_ns)
                }
                Ok(None) if !connection.asked => self.leave(at, now_ns),
                Ok(None) => {
                    let fault = "the server closed instead of answering".to_owned();
                    self.fail(at, Failure::Closed, fault, now_ns)
                }
                Err(fault) => self.fail(at, Failure::Http, fault.to_string(), now_ns),
            },
            Stage::Connecting | Stage::Handshaking => {
                let fault = "the server closed within the handshake".to_owned();
                self.fail(at, Failure::Closed, fault, now_ns)
            }
            _ => Ok(()),
        }
    }

    fn broken(&mut self, at: usize, error: &io::Error, now_ns: u64) -> io::Result<()> {
        let connection = &self.connections[at];
        match connection.stage {
            Stage::Open if !connection.asked && self.terms.mode != Mode::Idle => {
                self.close(at, now_ns)
            }
            Stage::Connecting | Stage::Handshaking | Stage::Open => {
                self.fail(at, Failure::Closed, format!("receive: {error}"), now_ns)
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, at: usize, failure: Failure, fault: String, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.not_before_ns = now_ns + REST_NS;
        let setting_up = matches!(self.source, Source::SetUp);
        // What setting up needs is tried again until it is given up as a whole.
        let operation = match setting_up {
            true => connection.operation,
            false => connection.operation.take(),
        };
        if self.terms.mode == Mode::Idle && connection.ready {
            self.tally.lost(failure, fault);
        } else {
            self.tally.failed(operation, now_ns, failure, fault);
        }
        self.close(at, now_ns)
    }

    fn leave(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.stage = Stage::Leaving;
        connection.since_ns = now_ns;
        connection.link.say_goodbye(&mut connection.out);
        if connection.out.is_empty() && !connection.under_way.send {
            return self.close(at, now_ns);
        }
        self.flush(at)
    }

    fn close(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.stage = Stage::Closing;
        connection.asked = false;
        connection.out.clear();
        if let Some(socket) = &connection.socket {
            // It is not connected any more, or never was: then nothing is left to be shut.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.settle(at, now_ns)
    }

    /// A connection that closes is closed when the kernel has nothing of it any more.
    fn settle(&mut self, at: usize, now_ns: u64) -> io::Result<()> {
        let connection = &mut self.connections[at];
        if connection.stage != Stage::Closing || !connection.is_at_rest() {
            return Ok(());
        }
        connection.stage = Stage::Closed;
        connection.socket = None;
        connection.link = Link::clear();
        connection.under_way = UnderWay::default();
        self.proceed(at, now_ns)
    }

    /// What no event would bring about: limits of time, and new attempts.
    fn tick(&mut self, now_ns: u64) -> io::Result<()> {
        self.ticks += 1;
        for at in 0..self.count() {
            let connection = &self.connections[at];
            let waited_ns = now_ns.saturating_sub(connection.since_ns);
            let late = waited_ns > self.terms.timeout_ns;
            match connection.stage {
                Stage::Closed if connection.not_before_ns > 0 => self.proceed(at, now_ns)?,
                Stage::Connecting | Stage::Handshaking if late => {
                    let fault = "no connection in time".to_owned();
                    self.fail(at, Failure::Timeout, fault, now_ns)?;
                }
                Stage::Open if connection.asked && late => {
                    let fault = "no response in time".to_owned();
                    self.fail(at, Failure::Timeout, fault, now_ns)?;
                }
                Stage::Leaving if waited_ns > LEAVING_NS_MAX => self.close(at, now_ns)?,
                _ => {}
            }
        }
        Ok(())
    }
}
