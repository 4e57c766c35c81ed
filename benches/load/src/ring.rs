//! One io_uring: every turn of the loop is one system call that carries all sends out and all
//! receives in.
//!
//! Receives are multishot with buffers that the kernel picks, so an idle connection owns none and
//! a request costs one submission. A buffer that is sent belongs to the ring until it is sent.
//! This is the crate's only room with `unsafe`; what it offers is safe.

use std::alloc::{Layout, handle_alloc_error};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, TimeoutFlags, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use socket2::SockAddr;

/// Submissions of one turn; more are handed over in between.
const SUBMISSIONS: u32 = 4096;
/// What one turn can report; more waits in the kernel.
const COMPLETIONS: u32 = 16 * 1024;
/// Power of two, for the kernel counts modulo it.
const CHUNKS: u16 = 1024;
/// A response of T8 with its record fits one; longer ones take several.
const CHUNK_BYTES: usize = 8 * 1024;
/// The one group of buffers.
const GROUP: u16 = 0;
/// Page size, as the kernel demands of the buffers' ring.
const PAGE_BYTES: usize = 4096;

/// A buffer that the kernel filled; give it back by [`Ring::recycle`].
#[derive(Debug)]
pub struct Chunk {
    id: u16,
    bytes: usize,
}

/// What came of something that was asked for; `at` is the number of the connection.
#[derive(Debug)]
pub enum Completion {
    /// [`Ring::connect`] ended.
    Connected {
        /// Which connection.
        at: usize,
        /// Whether there is one now.
        result: io::Result<()>,
    },
    /// [`Ring::send`] ended: here is the buffer again.
    Sent {
        /// Which connection.
        at: usize,
        /// What was to be sent.
        buffer: Vec<u8>,
        /// Bytes sent; all of them, or the connection is broken.
        result: io::Result<usize>,
    },
    /// [`Ring::receive`] has something; `None` is the end of what the peer sends.
    Received {
        /// Which connection.
        at: usize,
        /// The bytes, or the error that ended it.
        result: io::Result<Option<Chunk>>,
        /// The kernel goes on receiving.
        more: bool,
    },
    /// Another tick of [`Ring::tick_every`] has passed.
    Tick,
}

const CONNECT: u64 = 0;
const SEND: u64 = 1;
const RECEIVE: u64 = 2;
const TICK: u64 = 3;

/// The ring, and the memory it lends to the kernel.
///
/// That memory is never freed: when the process ends, the kernel may still hold it, and there is
/// one ring in a process.
pub struct Ring {
    uring: IoUring,
    chunks: Chunks,
    peer: &'static SockAddr,
    sending: Vec<Vec<u8>>,
    reaped: Vec<cqueue::Entry>,
    next: usize,
}

impl Ring {
    /// A ring for so many connections to `peer`.
    ///
    /// # Errors
    /// A sentence with the likely cause and its cure.
    pub fn new(peer: SockAddr, connections: usize) -> Result<Self, String> {
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)
            .map_err(|error| refusal(&error))?;
        let chunks = Chunks::new();
        // SAFETY: the entries are CHUNKS long, aligned to a page, and never freed.
        let registered = unsafe {
            let ring_addr = chunks.entries.as_ptr() as u64;
            uring
                .submitter()
                .register_buf_ring_with_flags(ring_addr, CHUNKS, GROUP, 0)
        };
        registered.map_err(|error| refusal(&error))?;
        let mut ring = Self {
            uring,
            chunks,
            peer: Box::leak(Box::new(peer)),
            sending: (0..connections).map(|_| Vec::new()).collect(),
            reaped: Vec::with_capacity(COMPLETIONS as usize),
            next: 0,
        };
        for id in 0..CHUNKS {
            ring.chunks.give(id);
        }
        Ok(ring)
    }

    /// Connects a socket to the peer.
    ///
    /// # Errors
    /// The kernel takes no submissions.
    pub fn connect(&mut self, at: usize, socket: BorrowedFd<'_>) -> io::Result<()> {
        let fd = Fd(socket.as_raw_fd());
        let entry = opcode::Connect::new(fd, self.peer.as_ptr().cast(), self.peer.len()).build();
        self.push(&entry.user_data(tag(at, CONNECT)))
    }

    /// Sends all of `buffer`. One at a time for each connection. What is the `last` may wait in the
    /// kernel until the socket is shut, and goes out in one segment with that.
    ///
    /// # Errors
    /// The kernel takes no submissions.
    pub fn send(
        &mut self,
        at: usize,
        socket: BorrowedFd<'_>,
        buffer: Vec<u8>,
        last: bool,
    ) -> io::Result<()> {
        assert!(self.sending[at].is_empty(), "one send at a time");
        // A Vec that moves leaves its bytes where they are.
        self.sending[at] = buffer;
        let buffer = &self.sending[at];
        // Requests are bounded by what a scenario says, far below 4 GiB.
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(socket.as_raw_fd()), buffer.as_ptr(), length)
            .flags(MSG_WAITALL | MSG_NOSIGNAL | if last { MSG_MORE } else { 0 })
            .build();
        self.push(&entry.user_data(tag(at, SEND)))
    }

    /// Receives until the connection ends, or until `more` is false.
    ///
    /// # Errors
    /// The kernel takes no submissions.
    pub fn receive(&mut self, at: usize, socket: BorrowedFd<'_>) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), GROUP).build();
        self.push(&entry.user_data(tag(at, RECEIVE)))
    }

    /// Ticks from now on.
    ///
    /// # Errors
    /// The kernel takes no submissions.
    pub fn tick_every(&mut self, period: Duration) -> io::Result<()> {
        let period: &'static Timespec = Box::leak(Box::new(period.into()));
        let entry = opcode::Timeout::new(period)
            .flags(TimeoutFlags::MULTISHOT)
            .build();
        self.push(&entry.user_data(tag(0, TICK)))
    }

    /// One turn: hands over what was asked for, and waits for `wanted` things to be completed, for
    /// at most `wait` (`None`: for one, as long as it takes; zero: not at all).
    ///
    /// # Errors
    /// What `io_uring_enter` says, other than that the time is over or that a signal came.
    pub fn turn(&mut self, wait: Option<Duration>, wanted: usize) -> io::Result<()> {
        let submitter = self.uring.submitter();
        let entered = match wait {
            None => submitter.submit_and_wait(1),
            Some(wait) => {
                let wait = Timespec::from(wait);
                submitter.submit_with_args(wanted, &SubmitArgs::new().timespec(&wait))
            }
        };
        if let Err(error) = entered {
            let passing = [ETIME, EINTR, EAGAIN, EBUSY];
            if !passing.contains(&error.raw_os_error().unwrap_or_default()) {
                return Err(error);
            }
        }
        self.reaped.clear();
        self.next = 0;
        self.reaped.extend(self.uring.completion());
        Ok(())
    }

    /// The next of what the last turn completed.
    pub fn next_completion(&mut self) -> Option<Completion> {
        let entry = self.reaped.get(self.next)?;
        self.next += 1;
        let (data, result, flags) = (entry.user_data(), entry.result(), entry.flags());
        let at = (data >> 2) as usize;
        let result = match result {
            0.. => Ok(result as usize),
            error => Err(io::Error::from_raw_os_error(-error)),
        };
        Some(match data & 3 {
            CONNECT => Completion::Connected {
                at,
                result: result.map(drop),
            },
            SEND => Completion::Sent {
                at,
                buffer: std::mem::take(&mut self.sending[at]),
                result,
            },
            RECEIVE => Completion::Received {
                at,
                result: result.map(|bytes| {
                    let id = cqueue::buffer_select(flags)?;
                    let chunk = Chunk { id, bytes };
                    if bytes == 0 {
                        self.recycle(chunk);
                        return None;
                    }
                    Some(chunk)
                }),
                more: cqueue::more(flags),
            },
            _ => Completion::Tick,
        })
    }

    /// What was received; it may be written over.
    pub fn bytes(&mut self, chunk: &Chunk) -> &mut [u8] {
        self.chunks.bytes(chunk)
    }

    /// Gives a buffer back to the kernel.
    pub fn recycle(&mut self, chunk: Chunk) {
        self.chunks.give(chunk.id);
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: what the entry points to outlives the operation: the peer's address and the
            // ticks' period are never freed, and a buffer that is sent stays in `sending` until its
            // completion is reaped, or for ever when the ring is dropped; nobody touches it there.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.uring.submit()?;
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel may be reading them.
        std::mem::forget(std::mem::take(&mut self.sending));
    }
}

fn tag(at: usize, kind: u64) -> u64 {
    (at as u64) << 2 | kind
}

fn refusal(error: &io::Error) -> String {
    format!(
        "io_uring cannot be set up: {error}; likely causes: a kernel older than 6.1, the sysctl \
         kernel.io_uring_disabled, or a container's seccomp profile that has to allow io_uring"
    )
}

const MSG_WAITALL: i32 = 0x100;
const MSG_NOSIGNAL: i32 = 0x4000;
const MSG_MORE: i32 = 0x8000;
const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;
const ETIME: i32 = 62;

/// The buffers for receiving, and the ring by which the kernel is told which of them are free.
struct Chunks {
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    /// Entries ever given; the ring's place is this modulo CHUNKS.
    given: u16,
}

impl Chunks {
    fn new() -> Self {
        let entries_bytes = usize::from(CHUNKS) * size_of::<BufRingEntry>();
        Self {
            entries: zeroed(entries_bytes).cast(),
            memory: zeroed(usize::from(CHUNKS) * CHUNK_BYTES),
            given: 0,
        }
    }

    fn start(&self, id: u16) -> NonNull<u8> {
        assert!(id < CHUNKS, "the kernel names buffers that it was given");
        // SAFETY: `id` is within the memory, by the line above.
        unsafe { self.memory.add(usize::from(id) * CHUNK_BYTES) }
    }

    /// Tells the kernel that a buffer is free.
    fn give(&mut self, id: u16) {
        let start = self.start(id);
        let place = usize::from(self.given & (CHUNKS - 1));
        self.given = self.given.wrapping_add(1);
        // SAFETY: the place is within the entries, which live for ever. The kernel reads it only
        // after the tail says so, which is stored last. The tail stands in the first entry, in a
        // field that `set_*` leave alone, and is aligned for 16 bits.
        unsafe {
            let entry = self.entries.add(place).as_mut();
            entry.set_addr(start.as_ptr() as u64);
            entry.set_len(CHUNK_BYTES as u32);
            entry.set_bid(id);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.given, Ordering::Release);
        }
    }

    fn bytes(&mut self, chunk: &Chunk) -> &mut [u8] {
        let start = self.start(chunk.id);
        let bytes = chunk.bytes.min(CHUNK_BYTES);
        // SAFETY: the kernel gave this buffer to us with its completion and will not touch it until
        // `give`; a `Chunk` cannot be copied, so there is one owner. The bytes are initialized, for
        // the memory was zeroed.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), bytes) }
    }
}

/// Memory from the start of a page, zeroed, never freed.
fn zeroed(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, PAGE_BYTES).expect("constants that fit");
    // SAFETY: the size is not zero: CHUNKS and the sizes are constants above it.
    let memory = unsafe { std::alloc::alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}
