//! Steps that act on the target instead of on the wire.
use alloc::string::{String, ToString};

use crate::admin::Order;
use crate::plan::StepPlan;

/// The order that a step gives; `None` for a step that is none, `Err` names the missing key.
pub(super) fn order(step: &StepPlan) -> Option<Result<Order, String>> {
    let text = |key: &str| {
        step.fields.text(key).map(ToString::to_string).ok_or_else(|| alloc::format!("{} needs a {key:?}", step.verb))
    };
    Some(match step.verb.as_str() {
        "grant" => text("party").and_then(|party| Ok(Order::Grant { party, grant: text("grant")? })),
        "revoke" => text("party").and_then(|party| Ok(Order::Revoke { party, grant: text("grant")? })),
        "rekey" => text("party").map(|party| Order::Rekey { party }),
        "remove" => text("party").map(|party| Order::Remove { party }),
        "restart" => Ok(Order::Restart),
        _ => return None,
    })
}
