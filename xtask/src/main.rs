//! What developers run: `cargo xtask test`, `cargo xtask prove spine`, `cargo xtask bench`.

mod bench;
mod machine;
mod part;
mod prove;
mod shots;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test                                       everything CI checks
cargo xtask prepare                                    install what the tests need, and say where it is
cargo xtask prove spine|judgement|control [--seed S] [--part P]...
                                                       full counts of every promise, a line for each
cargo xtask bench [--rounds N] [--only W1,undo,...]    what supervision costs, as ratios in one run
cargo xtask shots DIR                                  pictures of every page of the console, in both themes and widths
cargo xtask shots DIR --server URL --name N --password P --page /PATH...
                                                       the same, of the pages of a server that runs";

/// Why a command of this program ended badly: a sentence for a person.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(),
        ["prepare"] => machine::prepare().map(|()| {
            for (name, place) in machine::counterparts() {
                println!("export {name}={}", place.display());
            }
        }),
        ["prove", "spine", options @ ..] => prove::run(prove::Proof::Spine, options),
        ["prove", "judgement", options @ ..] => prove::run(prove::Proof::Judgement, options),
        ["prove", "control", options @ ..] => prove::run(prove::Proof::Control, options),
        ["bench", options @ ..] => bench::run(options),
        ["shots", options @ ..] => shots::run(options),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The value that follows each `--name` in `options`.
fn values<'a>(options: &[&'a str], name: &str) -> Vec<&'a str> {
    let at = options.iter().zip(options.iter().skip(1));
    at.filter(|(option, _)| **option == name)
        .map(|(_, value)| *value)
        .collect()
}
