//! Where traffic may go: loopback, or what the user has twice said to own. Nothing connects to an address that did not pass here.
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};

use proofhouse_core::connection::Addr;
use proofhouse_core::ids::EndpointId;
use proofhouse_core::target::TargetSpec;

use crate::error::RunError;

/// An address that traffic may go to. Sockets connect and send to nothing else, and only this module makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved(Addr);

impl Approved {
    /// Which address.
    #[must_use]
    pub fn addr(self) -> Addr {
        self.0
    }

    /// Whether it is on this machine only.
    pub(crate) fn is_loopback(self) -> bool {
        is_loopback(self.0)
    }

    /// In the system's words.
    pub(crate) fn socket_addr(self) -> SocketAddr {
        socket_addr(self.0)
    }
}

/// The addresses of a target's endpoints, all approved.
#[derive(Clone, Debug)]
pub struct Approvals(Vec<Approved>);

impl Approvals {
    /// Where this endpoint is.
    #[must_use]
    pub fn endpoint(&self, endpoint: EndpointId) -> Approved {
        self.0[endpoint.0 as usize]
    }

    /// Everywhere that the target speaks.
    pub(crate) fn addrs(&self) -> impl Iterator<Item = Addr> + '_ {
        self.0.iter().map(|approved| approved.addr())
    }

    /// Approves somebody who spoke to us, so that he may be answered: on loopback, or on a machine of an endpoint.
    #[must_use]
    pub fn answer(&self, addr: Addr) -> Option<Approved> {
        let known = is_loopback(addr) || self.0.iter().any(|endpoint| endpoint.addr().ip == addr.ip);
        known.then_some(Approved(addr))
    }
}

/// Approves the address of every endpoint; `fill` fills in templates such as `{port}`. A name that is not approved is not looked up
/// either: a question to a name server is traffic.
///
/// # Errors
/// `Guard` for an address off loopback without an owner and `--i-own`, `Unreachable` for one that cannot be resolved.
pub fn approve(target: &TargetSpec, i_own: &[String], fill: impl Fn(&str) -> String) -> Result<Approvals, RunError> {
    let one = |address: &str| match on_loopback(address) {
        Err(RunError::Guard { .. }) => {
            owned(address, target, i_own)?;
            resolve(address)
        }
        answer => answer,
    };
    target.endpoints.iter().map(|e| one(&fill(&e.address))).collect::<Result<_, _>>().map(Approvals)
}

/// Approves an address of this machine, for what needs no owner: a target that we have started is asked here whether it is ready.
///
/// # Errors
/// `Guard` for any other address, and for any name but `localhost`; `Unreachable` for what is no address at all.
pub(crate) fn on_loopback(address: &str) -> Result<Approved, RunError> {
    let refuse = |reason: &str| Err(RunError::Guard { address: address.into(), reason: reason.into() });
    match read(address)? {
        Place::At(addr) if is_loopback(addr) => Ok(Approved(addr)),
        Place::At(_) => refuse("it is not on loopback"),
        Place::Name => refuse("names other than localhost are not looked up; write its IPv4 address"),
    }
}

/// The port of `host:port`; nothing is looked up.
pub(crate) fn port(address: &str) -> Result<u16, RunError> {
    split(address).map(|(_, port)| port)
}

/// What stands before the port.
enum Place {
    At(Addr),
    Name,
}

fn read(address: &str) -> Result<Place, RunError> {
    let (host, port) = split(address)?;
    Ok(match host.parse::<Ipv4Addr>() {
        Ok(ip) => Place::At(Addr { ip: ip.into(), port }),
        // A table of our own: the system's may say anything of it.
        Err(_) if host.eq_ignore_ascii_case("localhost") => Place::At(Addr { ip: Ipv4Addr::LOCALHOST.into(), port }),
        Err(_) if host.contains(':') => return Err(no_address(address, "IPv6 is not spoken")),
        Err(_) => Place::Name,
    })
}

fn split(address: &str) -> Result<(&str, u16), RunError> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.filter(|(host, _)| !host.is_empty()).ok_or_else(|| no_address(address, "it is no host and port"))
}

fn no_address(address: &str, reason: &str) -> RunError {
    RunError::Unreachable { address: address.into(), reason: format!("{reason}; write an address like 127.0.0.1:1883") }
}

fn owned(address: &str, target: &TargetSpec, i_own: &[String]) -> Result<(), RunError> {
    let what = match read(address)? {
        Place::At(_) => "it is not on loopback",
        Place::Name => "names other than localhost are not looked up before they are approved: write its IPv4 address",
    };
    let refuse = |way_out: &str| Err(RunError::Guard { address: address.into(), reason: format!("{what}{way_out}") });
    if target.owner.is_none() {
        return refuse(", and the target file names no owner; write owner = \"...\" there");
    }
    let (host, _) = split(address)?;
    if !i_own.iter().any(|own| own == address || own == host) {
        return refuse(&format!("; if it is yours, repeat it: --i-own {address}"));
    }
    Ok(())
}

/// The first IPv4 address of an endpoint that is the user's own.
fn resolve(address: &str) -> Result<Approved, RunError> {
    if let Place::At(addr) = read(address)? {
        return Ok(Approved(addr));
    }
    #[expect(clippy::disallowed_methods, reason = "the owner has approved this name: it may be looked up")]
    let found = address.to_socket_addrs();
    let unreachable = |reason: String| RunError::Unreachable { address: address.into(), reason };
    let v4 = |addr| if let SocketAddr::V4(v4) = addr { Some(Approved(addr_of(v4))) } else { None };
    let first = found.map_err(|error| unreachable(error.to_string()))?.find_map(v4);
    first.ok_or_else(|| unreachable("it has no IPv4 address".into()))
}

fn is_loopback(addr: Addr) -> bool {
    Ipv4Addr::from(addr.ip).is_loopback()
}

/// The same address in the engine's words.
pub(crate) fn addr_of(v4: SocketAddrV4) -> Addr {
    Addr { ip: u32::from(*v4.ip()), port: v4.port() }
}

/// The same address in the system's words.
pub(crate) fn socket_addr(addr: Addr) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(addr.ip), addr.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, owner: Option<&str>) -> TargetSpec {
        TargetSpec { owner: owner.map(Into::into), ..proofhouse_core::testing::remote("toy", address) }
    }

    fn check(address: &str, owner: Option<&str>, i_own: &[&str], passes: bool) {
        let i_own: Vec<String> = i_own.iter().map(|s| (*s).into()).collect();
        let answer = approve(&target(address, owner), &i_own, str::to_string);
        assert_eq!(answer.is_ok(), passes, "{address} owner {owner:?} i_own {i_own:?}: {answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }

    #[test]
    fn loopback_needs_no_word() {
        check("127.0.0.1:1883", None, &[], true);
        check("127.255.3.4:1883", None, &[], true);
    }

    #[test]
    fn anything_else_needs_an_owner_and_a_repeated_address() {
        check("192.0.2.1:1883", None, &[], false);
        check("192.0.2.1:1883", Some("me"), &[], false);
        check("192.0.2.1:1883", None, &["192.0.2.1:1883"], false);
        check("192.0.2.1:1883", Some("me"), &["192.0.2.10:1883"], false);
        check("192.0.2.1:1883", Some("me"), &["192.0.2.1:1883"], true);
        check("192.0.2.1:1883", Some("me"), &["192.0.2.1"], true);
        check("128.0.0.1:1883", None, &[], false);
        check("0.0.0.0:1883", None, &[], false);
    }

    #[test]
    fn a_name_is_not_looked_up_before_it_is_approved() {
        check("localhost:1883", None, &[], true);
        check("LocalHost:1883", None, &[], true);
        // Were it asked for, the answer would be "unreachable", since this name cannot exist.
        for (owner, i_own) in
            [(None, &[][..]), (Some("me"), &[]), (None, &["broker.invalid"]), (Some("me"), &["invalid"])]
        {
            check("broker.invalid:1883", owner, i_own, false);
        }
        let own = approve(&target("broker.invalid:1883", Some("me")), &["broker.invalid".into()], str::to_string);
        assert!(matches!(own, Err(RunError::Unreachable { .. })), "{own:?}");
        // What the system's own table calls loopback is not asked for either.
        check("ip6-localhost:1883", None, &[], false);
    }

    #[test]
    fn what_is_no_address_says_how_one_is_written() {
        for address in ["127.0.0.1", ":1883", "127.0.0.1:", "127.0.0.1:70000", "[::1]:1883", ""] {
            let error = approve(&target(address, None), &[], str::to_string).unwrap_err();
            assert!(error.to_string().contains("write an address like 127.0.0.1:1883"), "{address}: {error}");
        }
    }

    #[test]
    fn only_loopback_and_machines_of_endpoints_are_answered() {
        let own = ["192.0.2.1".to_string()];
        let approvals = approve(&target("192.0.2.1:1883", Some("me")), &own, str::to_string).unwrap();
        let from = |ip: [u8; 4]| approvals.answer(Addr::new(ip, 9)).is_some();
        assert!(from([127, 0, 0, 9]) && from([192, 0, 2, 1]));
        assert!(!from([192, 0, 2, 2]) && !from([10, 0, 0, 1]));
    }
}
