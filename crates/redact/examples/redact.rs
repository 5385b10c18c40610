//! Redacts standard input to standard output, and says on standard error what was found.
//!
//! `some-program | cargo run --release -p rescind-redact --example redact`

use rescind_redact::{Rules, Stream};
use std::io::{Read as _, Write as _};

fn main() -> std::io::Result<()> {
    let mut stream = Stream::new(&Rules::standard());
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let length = input.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        output.write_all(&stream.push(chunk.get(..length).unwrap_or_default()))?;
    }
    output.write_all(&stream.finish())?;
    for (kind, count) in stream.found() {
        eprintln!("{count} {kind}");
    }
    Ok(())
}
