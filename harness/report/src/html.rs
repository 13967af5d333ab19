//! `report.html`: the report for people. One file, no script, no request to anywhere; light and dark, phone and paper.
//!
//! The template escapes everything that it is given (minijinja's rule for `.html`), and the page forbids itself scripts and requests by
//! a content security policy, so that a title such as `</script><img onerror=...>` stays text twice over.
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::run::Run;

mod view;

const TEMPLATE: &str = include_str!("html/page.html.jinja");
const STYLE: &str = include_str!("html/style.css");

/// The report as HTML.
///
/// # Panics
/// When the template is wrong, which the tests would have shown.
#[must_use]
pub fn html(run: &Run) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are consistent"));
    // The name decides that everything is escaped as HTML.
    environment.add_template("page.html", TEMPLATE).expect("the template reads");
    let template = environment.get_template("page.html").expect("it was added above");
    let style = minijinja::Value::from_safe_string(STYLE.to_owned());
    template.render(context! { style, page => Serde(view::page(run)) }).expect("every name in the template is set")
}

#[cfg(test)]
mod tests;
