//! `rescind errors`: what an error code means.

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::Out;
use crate::pages;
use clap::Args;
use serde_json::json;

/// Arguments of `rescind errors`.
#[derive(Debug, Clone, Args)]
pub struct ErrorsArgs {
    /// The code, as in `error[CODE]`; without it all are listed
    pub code: Option<String>,
}

/// Print the page of a code, or the codes.
///
/// # Errors
/// There is no such code.
pub fn run(context: &Context, args: &ErrorsArgs) -> Done {
    let mut out = Out::new();
    match &args.code {
        Some(code) => {
            let page = pages::page(code).ok_or_else(|| {
                Failure::new(Code::NoSuchPage, format!("no error has the code `{code}`"))
                    .help("`rescind errors` lists them")
            })?;
            if context.json {
                out.json(&json!({"code": code, "page": page}))?;
            } else {
                out.text(page)?;
            }
        }
        None if context.json => {
            for code in Code::ALL {
                out.json(
                    &json!({"code": code.text(), "kind": code.kind(), "exit_code": code.exit().code()}),
                )?;
            }
        }
        None => {
            let row = |code: &Code| {
                vec![
                    code.text().to_owned(),
                    code.kind().to_owned(),
                    code.exit().code().to_string(),
                ]
            };
            let rows: Vec<Vec<String>> = Code::ALL.iter().map(row).collect();
            out.table(&["CODE", "KIND", "EXIT"], &rows)?;
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}
