//! Where a target speaks on this machine, and who holds the sockets there.
use proofhouse_core::ids::EndpointId;
use proofhouse_core::protocol::Transport;
use proofhouse_core::registry::Registry;
use proofhouse_core::target::TargetSpec;

use super::diag;
use crate::guard::Approvals;

/// A port that the target is to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    pub(super) port: u16,
    /// UDP; else TCP.
    pub(super) datagrams: bool,
}

impl Door {
    /// Those of a target's endpoints; where it plays the client, the port is ours.
    pub(crate) fn all(target: &TargetSpec, approved: &Approvals, registry: &Registry) -> Vec<Door> {
        let served = (0..).zip(&target.endpoints).filter(|(_, endpoint)| !endpoint.client);
        let door = |(n, protocol): (u16, &str)| {
            let transport = registry.protocol(protocol).map(|row| row.transport);
            Door {
                port: approved.endpoint(EndpointId(n)).addr().port,
                datagrams: transport == Some(Transport::Datagram),
            }
        };
        served.map(|(n, endpoint)| door((n, endpoint.protocol.as_str()))).collect()
    }

    /// The sockets that take what comes to it, on any address.
    pub(super) fn sockets(self) -> std::collections::BTreeSet<diag::Inode> {
        if self.datagrams { diag::bound(self.port) } else { diag::listening(self.port) }
    }

    /// Whether anybody is there.
    pub(super) fn is_open(&self) -> bool {
        !self.sockets().is_empty()
    }
}
