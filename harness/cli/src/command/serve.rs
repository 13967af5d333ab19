//! `proofhouse serve`: an embedded target as a process of its own. Hidden: target files with `program = "{self}"` call it.
#[cfg(feature = "embedded")]
use crate::args::Reference;
use crate::args::{Serve, Served};
use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// Serves until killed.
#[cfg(feature = "embedded")]
pub fn run(args: Serve) -> Result<ExitCode, Failure> {
    // What panics from here on is the target, and no bug of ours.
    drop(std::panic::take_hook());
    match args.what {
        Served::Rumqttd { port_v4, port_v5, users } => {
            use proofhouse_embedded::rumqttd::{Options, serve, users_of};
            users_of(users.as_deref())
                .and_then(|users| serve(&Options { port_v4, port_v5, users }))
                .map_err(|e| Failure::new(ExitCode::NoTarget, e.to_string()))?;
        }
        Served::CoapLite { port } => proofhouse_embedded::coap_lite::serve(port)
            .map_err(|e| Failure::new(ExitCode::NoTarget, format!("127.0.0.1:{port}: {e}")))?,
        Served::Reference { build, port, accounts, flaw } => {
            use proofhouse_embedded::reference::{serve_broker, serve_coap};
            match build {
                Reference::Broker => serve_broker(port, accounts.as_deref(), &flaw),
                Reference::Coap => serve_coap(port, &flaw),
            }
            .map_err(|e| Failure::new(ExitCode::NoTarget, e.to_string()))?;
        }
    }
    Ok(ExitCode::Fine)
}

/// This build has none.
#[cfg(not(feature = "embedded"))]
#[expect(clippy::needless_pass_by_value, reason = "the build that has them consumes what it is asked")]
pub fn run(args: Serve) -> Result<ExitCode, Failure> {
    let Serve { what: Served::Rumqttd { .. } | Served::CoapLite { .. } | Served::Reference { .. } } = args;
    Err(Failure::new(ExitCode::Usage, "this build has no embedded targets: build it with the feature `embedded`"))
}
