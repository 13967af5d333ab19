//! One run at a time on a server that runs elsewhere: two of them would meet each other's messages and blame the server for it.
//!
//! An address is taken by an abstract socket of its name (`unix(7)`). There is no file that another user could have made, nor one that is
//! left behind: whoever shares our loopback shares these names, and the kernel gives them back however their holder ends.
use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use proofhouse_core::connection::Addr;
use proofhouse_core::target::{TargetKind, TargetSpec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

use crate::error::RunError;
use crate::guard;
use crate::options::LiveOptions;

/// Between two tries.
const NAP: Duration = Duration::from_millis(100);

/// Servers that no other run speaks to until this is dropped.
#[derive(Debug)]
pub struct Alone {
    /// Held for what their names say.
    _held: Vec<OwnedFd>,
}

impl Alone {
    /// Waits until no other process of this machine runs against any of these targets that runs elsewhere, and tells in a line for whom.
    /// A target that may not be spoken to is left out.
    ///
    /// # Errors
    /// `Interrupted`.
    pub fn with<'t>(
        targets: impl IntoIterator<Item = &'t TargetSpec>,
        options: &LiveOptions,
        tell: &dyn Fn(&str),
    ) -> Result<Alone, RunError> {
        let elsewhere = targets.into_iter().filter(|target| matches!(target.kind, TargetKind::Remote));
        let approved = elsewhere.filter_map(|target| guard::approve(target, &options.i_own, str::to_string).ok());
        // In one order for everybody: nobody waits for one who waits for him.
        let addrs: BTreeSet<Addr> = approved.flat_map(|all| all.addrs().collect::<Vec<_>>()).collect();
        let mut held = Vec::new();
        for addr in addrs {
            held.extend(hold(&format!("{}:{}", Ipv4Addr::from(addr.ip), addr.port), options, tell)?);
        }
        Ok(Alone { _held: held })
    }
}

/// Takes one name as soon as it is free. `None` where this system has no such names to give.
fn hold(address: &str, options: &LiveOptions, tell: &dyn Fn(&str)) -> Result<Option<OwnedFd>, RunError> {
    let mut told = false;
    loop {
        match take(address) {
            Ok(held) => return Ok(Some(held)),
            Err(Errno::ADDRINUSE) => {}
            Err(error) => {
                let error = io::Error::from(error);
                tell(&format!("whether another run uses {address} cannot be seen here ({error}); going on"));
                return Ok(None);
            }
        }
        if !std::mem::replace(&mut told, true) {
            let other = holder(address).map_or_else(|| "another run".to_string(), |pid| format!("process {pid}"));
            tell(&format!(
                "waiting for {other}, which runs against {address}: each would find the other's traffic (Ctrl-C ends the wait)"
            ));
        }
        if options.interrupted() {
            return Err(RunError::Interrupted);
        }
        sleep(NAP);
    }
}

fn take(address: &str) -> rustix::io::Result<OwnedFd> {
    let socket = socket(SocketFlags::CLOEXEC)?;
    bind(&socket, &name(address)?)?;
    // Whoever waits asks whose it is.
    listen(&socket, 16)?;
    Ok(socket)
}

/// The process that has taken a name; `None` where nobody can say, since it is in another container or gone meanwhile.
fn holder(address: &str) -> Option<i32> {
    // Too many others have asked: then nobody is waited for here.
    let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).ok()?;
    connect(&socket, &name(address).ok()?).ok()?;
    let pid = getsockopt(&socket, PeerCredentials).ok()?.pid();
    (pid > 0).then_some(pid)
}

fn socket(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn name(address: &str) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new_abstract_name(format!("proofhouse {address}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proofhouse_core::testing::remote;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::channel;

    fn alone(addresses: &[&str], options: &LiveOptions, tell: &dyn Fn(&str)) -> Result<Alone, RunError> {
        let targets: Vec<TargetSpec> = addresses.iter().map(|address| remote("toy", address)).collect();
        Alone::with(&targets, options, tell)
    }

    #[test]
    fn a_run_waits_for_the_other_on_its_server_and_says_for_whom() {
        let options = &LiveOptions::default();
        let first = alone(&["127.0.0.1:4711", "127.9.0.1:4712"], options, &|line| panic!("{line}")).unwrap();
        std::thread::scope(|scope| {
            let (lines, said) = channel();
            let second = scope.spawn(move || {
                alone(&["127.0.0.1:4713", "127.0.0.1:4711"], options, &|line| lines.send(line.to_string()).unwrap())
            });
            let line = said.recv().unwrap();
            let own = std::process::id();
            assert!(line.contains(&format!("process {own}")) && line.contains("127.0.0.1:4711"), "{line}");
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
            assert!(said.recv().is_err(), "one line, however long it lasts");
        });
    }

    #[test]
    fn names_of_one_place_are_one_and_other_places_are_free() {
        let options = LiveOptions::default();
        let never = |line: &str| panic!("{line}");
        let _first = alone(&["localhost:4721", "127.0.0.1:4721"], &options, &never).unwrap();
        let _other = alone(&["127.0.0.2:4721", "127.0.0.1:4722"], &options, &never).unwrap();
        options.interrupt.store(true, Ordering::Relaxed);
        let same = alone(&["127.0.0.1:4721"], &options, &|_| {});
        assert!(matches!(same, Err(RunError::Interrupted)), "{same:?}");
        // A process of ours is nobody else's, and what may not be spoken to is nobody's.
        let _none = alone(&["192.0.2.1:4721"], &options, &never).unwrap();
    }
}
