//! Measures the stream: MiB per second for several kinds of output in which nothing is to be found.
//!
//! `cargo run --release -p rescind-redact --example throughput [MiB]`

use rescind_redact::{Rules, Stream};
use std::time::Instant;

fn main() {
    let mib: usize = std::env::args()
        .nth(1)
        .and_then(|own| own.parse().ok())
        .unwrap_or(1024);
    let started = Instant::now();
    let rules = Rules::standard();
    println!("rules built in {:?}", started.elapsed());
    let log =
        "2026-11-21T10:19:47Z INFO  request id=4bf92f3577b34da6 path=/v1/orders/42 status=200 took=12ms\n";
    let build = "   Compiling tokio-util v0.7.12\ntest auth::token_expires ... ok\n  GET https://example.com/a/b 200\n\
                 warning: unused variable: `key`\n  --> src/lib.rs:10:9\n";
    let json = "{\"id\":12345,\"key\":\"value\",\"name\":\"example\",\"tags\":[\"a\",\"b\"],\"url\":\"https://example.com/x\"},";
    let code =
        "fn parse(token: &Token, key: &str) -> Result<Password, Error> { self.author.next_token(key) }\n";
    let mut state = 1_u64;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(1 << 20)
    .collect();
    let samples: [(&str, Vec<u8>); 5] = [
        ("log lines", log.as_bytes().to_vec()),
        ("build output", build.as_bytes().to_vec()),
        ("json without lines", json.as_bytes().to_vec()),
        ("source code", code.as_bytes().to_vec()),
        ("random bytes", random),
    ];
    for (name, sample) in samples {
        let chunk: Vec<u8> = sample.iter().copied().cycle().take(64 * 1024).collect();
        let chunk = if sample.len() > chunk.len() { sample } else { chunk };
        let rounds = (mib << 20) / chunk.len();
        let mut stream = Stream::new(&rules);
        let started = Instant::now();
        let mut bytes = 0;
        for _ in 0..rounds {
            bytes += stream.push(&chunk).len();
        }
        bytes += stream.finish().len();
        let seconds = started.elapsed().as_secs_f64();
        let whole = rounds * chunk.len();
        let found: u64 = stream.found().values().sum();
        println!(
            "{name}: {:.0} MiB/s, {found} found, {bytes} of {whole} bytes",
            whole as f64 / seconds / 1_048_576.0
        );
    }
}
