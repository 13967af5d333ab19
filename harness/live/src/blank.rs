//! Targets that are no targets: a closed port, one that accepts and stays mute, one that says yes to everything; each for streams and
//! for datagrams. No scenario may PASS on them.
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use proofhouse_core::connection::Addr;

use crate::guard::{addr_of, socket_addr};

/// Makes an answer to bytes as they come; no protocol is known here.
pub type Answer = fn(&[u8]) -> Vec<u8>;

/// A blank target on 127.0.0.1. Its port is free again once this is dropped.
pub struct Blank {
    addr: Addr,
    stop: Arc<AtomicBool>,
    /// Makes the thread look at `stop`.
    wake: fn(SocketAddr),
    thread: Option<JoinHandle<()>>,
}

/// A port on which nobody listens.
///
/// # Errors
/// When there is no free port.
pub fn closed() -> io::Result<Blank> {
    let (_, addr) = listen()?;
    Ok(Blank { addr, stop: Arc::default(), wake: connect, thread: None })
}

/// A port to which no socket of datagrams is bound.
///
/// # Errors
/// When there is no free port.
pub fn closed_datagrams() -> io::Result<Blank> {
    let (_, addr) = bind()?;
    Ok(Blank { addr, stop: Arc::default(), wake: knock, thread: None })
}

/// Takes every datagram, and never says a word.
///
/// # Errors
/// When there is no free port.
pub fn mute_datagrams() -> io::Result<Blank> {
    serve_datagrams(|_| Vec::new())
}

/// Answers every datagram with what `answer` makes of it, and nothing where it makes nothing.
///
/// # Errors
/// When there is no free port.
pub fn yes_datagrams(answer: Answer) -> io::Result<Blank> {
    serve_datagrams(answer)
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
        (self.wake)(socket_addr(self.addr));
        let _ = thread.join();
    }
}

/// Wakes an accept; if it cannot be reached, its listener is gone already.
fn connect(to: SocketAddr) {
    let _ = TcpStream::connect(to);
}

/// Wakes one that waits for a datagram, likewise.
fn knock(to: SocketAddr) {
    let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.send_to(&[], to));
}

fn bind() -> io::Result<(UdpSocket, Addr)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = socket.local_addr()?.port();
    Ok((socket, addr_of(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))))
}

fn serve_datagrams(answer: Answer) -> io::Result<Blank> {
    let (socket, addr) = bind()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while !stopped.load(Ordering::Relaxed) {
            let Ok((n, from)) = socket.recv_from(&mut bytes) else { continue };
            let said = answer(&bytes[..n]);
            if !said.is_empty() {
                // An answer that cannot be sent is one that got lost.
                let _ = socket.send_to(&said, from);
            }
        }
    });
    Ok(Blank { addr, stop, wake: knock, thread: Some(thread) })
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
    Ok(Blank { addr, stop, wake: connect, thread: Some(thread) })
}

fn talk(mut stream: TcpStream, answer: Answer) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&answer(&bytes[..n])).is_err() {
            return;
        }
    }
}
