//! What the document says of every operation alike: how errors look, and which pages there are beside the API.

use crate::problem::PROBLEM;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, RefOr, Response};

/// The status of all errors that whoever asks brings about.
const THEIRS: &str = "4XX";
/// The status where something of the server's own can't be used just now.
const OURS: &str = "503";
const JSON: &str = "application/json";

/// Errors are problem details; what needs a sign-in can also find the store out of reach.
pub fn answers(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let answers = &mut operation.responses.responses;
            if let Some(theirs) = answers.get(THEIRS).cloned() {
                answers.entry(OURS.to_owned()).or_insert(theirs);
            }
            for (status, response) in answers.iter_mut() {
                if let RefOr::T(response) = response
                    && (status == THEIRS || status == OURS)
                {
                    as_problem(status, response);
                }
            }
        }
    }
}

fn as_problem(status: &str, response: &mut Response) {
    if let Some(content) = response.content.shift_remove(JSON) {
        response.content.insert(PROBLEM.to_owned(), content);
    }
    if response.description.is_empty() {
        let text = if status == OURS {
            "Something of the server's own can't be used just now; what is held stays held."
        } else {
            "Why not: `code` says it to programs."
        };
        text.clone_into(&mut response.description);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// The pages, as `x-rescind-pages`: `METHOD /path` each.
pub fn add_pages(document: &mut OpenApi, listed: &[&str]) {
    let list = serde_json::Value::from(listed);
    let extensions = document.extensions.get_or_insert_with(Extensions::default);
    extensions.merge(Extensions::from_iter([("x-rescind-pages", list)]));
}
