//! Targets that are no targets: a closed port, one that accepts and stays mute, one that says yes to everything. No scenario may
//! PASS on them.
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use proofhouse_core::actor::Addr;

use crate::guard::{addr_of, socket_addr};

/// Makes an answer to bytes as they come; no protocol is known here.
pub type Answer = fn(&[u8]) -> Vec<u8>;

/// A blank target on 127.0.0.1. Its port is free again once this is dropped.
pub struct Blank {
    addr: Addr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A port on which nobody listens.
///
/// # Errors
/// When there is no free port.
pub fn closed() -> io::Result<Blank> {
    let (_, addr) = listen()?;
    Ok(Blank { addr, stop: Arc::default(), thread: None })
}

/// Accepts, and never says a word.
///
/// # Errors
/// When there is no free port.
pub fn mute() -> io::Result<Blank> {
    serve(|_| Vec::new())
}

/// Answers everything with what `answer` makes of it.
///
/// # Errors
/// When there is no free port.
pub fn yes(answer: Answer) -> io::Result<Blank> {
    serve(answer)
}

impl Blank {
    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> Addr {
        self.addr
    }
}

impl Drop for Blank {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accept; if it cannot be reached, its listener is gone already.
        let _ = TcpStream::connect(socket_addr(self.addr));
        let _ = thread.join();
    }
}

fn listen() -> io::Result<(TcpListener, Addr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, addr_of(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))))
}

fn serve(answer: Answer) -> io::Result<Blank> {
    let (listener, addr) = listen()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            // Ends with its connection.
            thread::spawn(move || talk(stream, answer));
        }
    });
    Ok(Blank { addr, stop, thread: Some(thread) })
}

fn talk(mut stream: TcpStream, answer: Answer) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&answer(&bytes[..n])).is_err() {
            return;
        }
    }
}
