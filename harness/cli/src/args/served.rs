//! `serve`: the embedded targets.
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

/// `serve`
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Which target
    #[command(subcommand)]
    pub what: Served,
}

/// Embedded targets.
#[derive(Debug, Subcommand)]
pub enum Served {
    /// rumqttd
    #[command(version = "0.20.0")] // its own; targets/rumqttd.toml asks for it
    Rumqttd {
        /// Port for MQTT 3.1.1
        #[arg(long)]
        port_v4: u16,
        /// Port for MQTT 5
        #[arg(long)]
        port_v5: u16,
        /// File of users, one name:password a line, read once; without it, or when it is empty, everyone may connect
        #[arg(long)]
        users: Option<PathBuf>,
    },
    /// A server on coap-lite
    #[command(version = "0.13.3")] // its own; targets/coap-lite.toml asks for it
    CoapLite {
        /// UDP port
        #[arg(long)]
        port: u16,
    },
    /// A reference target
    Reference {
        /// Which one
        #[arg(long, value_enum, default_value_t = Reference::Broker)]
        build: Reference,
        /// Port
        #[arg(long)]
        port: u16,
        /// File with accounts and rights, read again when it changes
        #[arg(long)]
        accounts: Option<PathBuf>,
        /// Plant a flaw; may be repeated
        #[arg(long)]
        flaw: Vec<String>,
    },
}

/// Reference targets that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reference {
    /// The MQTT broker
    Broker,
    /// The CoAP server
    Coap,
}
