//! What we and the supervisor say to each other: one packet a message, descriptors beside it.
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::Ended;
use crate::process::group::ProcessId;

/// What we ask for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// When we are gone, remove the folders in `parent` whose names begin like this.
    Folders { parent: PathBuf, prefix: String },
    /// Start this; its output goes to the two descriptors that come along. Answered by `Started` or `Failed`.
    Start { id: u32, order: Order },
    /// End its group and what has left it, those who serve behind a wrapper first, and answer `Gone`.
    End { id: u32, grace_ms: u32, servers: Vec<ProcessId> },
    /// We end in good order, and have removed our folders ourselves.
    Done,
}

/// A command, in full but for `PATH`, which is the supervisor's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dir: PathBuf,
    /// Whoever has this folder as `HOME` is of this start, in whatever group or session, and ends with it.
    pub(crate) owns_dir: bool,
}

/// What it tells.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// It runs, and leads a group of its own.
    Started { id: u32, pid: i32 },
    /// It does not: the system's number where there is one, and the words.
    Failed { id: u32, number: Option<i32>, text: String },
    /// The leader has ended by itself. Its number is kept until `End`.
    Ended { id: u32, how: Ended },
    /// Nothing of it is left. How it took its end: as the leader, but where one that served broke.
    Gone { id: u32, how: Ended },
}

/// A longer command line is refused; the system's own limit is near.
const MESSAGE_MAX: usize = 128 << 10;

pub(super) fn say(socket: impl AsFd, message: &impl Serialize, with: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message).map_err(io::Error::other)?;
    if bytes.len() > MESSAGE_MAX {
        let text = format!("a command line of {} bytes; {MESSAGE_MAX} is the most", bytes.len());
        return Err(io::Error::new(io::ErrorKind::ArgumentListTooLong, text));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !with.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(with));
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            sent => return Ok(sent.map(drop)?),
        }
    }
}

/// The next message and what came beside it; `None` once the other side is gone.
pub(super) fn hear<M: DeserializeOwned>(socket: impl AsFd) -> Option<(M, Vec<OwnedFd>)> {
    let mut bytes = vec![0; MESSAGE_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let n = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            heard => break heard.ok()?.bytes,
        }
    };
    let fds = |message| if let RecvAncillaryMessage::ScmRights(fds) = message { fds.collect() } else { Vec::new() };
    let with = beside.drain().flat_map(fds).collect();
    Some((serde_json::from_slice(&bytes[..n]).ok()?, with))
}
