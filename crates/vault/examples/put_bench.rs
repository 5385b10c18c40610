//! How long puts and appends take: `cargo run --release -p rescind-vault --example put_bench [DIRECTORY]`.
//! Every figure is of level `process`: the call returns when the kernel has the bytes. Prints the median of five rounds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark, not a product"
)]

use rescind_model::SessionId;
use rescind_vault::{Keeping, Options, SessionWriter, Vault};
use std::io::Write as _;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;

fn median(mut run: impl FnMut(usize) -> Duration) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS).map(&mut run).collect();
    times.sort();
    times[ROUNDS / 2]
}

/// Source-like text that differs from blob to blob.
fn text(seed: usize, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 80);
    let mut line = seed.wrapping_mul(0x9e37_79b9);
    while bytes.len() < length {
        line = line
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        writeln!(
            bytes,
            "    let value_{} = compute({:x}, \"{}\");",
            line >> 50,
            line >> 33,
            seed
        )
        .unwrap();
    }
    bytes.truncate(length);
    bytes
}

fn small_blobs(writer: &SessionWriter, length: usize, seed: &mut usize) -> Duration {
    const COUNT: usize = 4000;
    let per_put = median(|_| {
        let blobs: Vec<_> = (0..COUNT)
            .map(|_| {
                *seed += 1;
                text(*seed, length)
            })
            .collect();
        let started = Instant::now();
        for blob in &blobs {
            writer.put(blob, Keeping::Lasting).unwrap();
        }
        started.elapsed() / COUNT as u32
    });
    println!(
        "put {length:>7} bytes, new:     {:>8.2} us",
        per_put.as_secs_f64() * 1e6
    );
    per_put
}

fn main() {
    let base = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    let dir = base.join(format!("put-bench-{}", std::process::id()));
    let vault = Vault::open(
        &dir,
        Options {
            reserve_bytes: 0,
            ..Options::default()
        },
    )
    .unwrap();
    let writer = vault.create_session(&SessionId::new(1, 1)).unwrap();
    let mut seed = 0;
    for length in [100, 1000, 4096, 16_384, 65_536] {
        small_blobs(&writer, length, &mut seed);
    }
    let again = text(1, 100);
    let known = median(|_| {
        let started = Instant::now();
        for _ in 0..10_000 {
            writer.put(&again, Keeping::Lasting).unwrap();
        }
        started.elapsed() / 10_000
    });
    println!(
        "put     100 bytes, known:   {:>8.2} us",
        known.as_secs_f64() * 1e6
    );
    let line = vec![b'x'; 400];
    let append = median(|_| {
        let started = Instant::now();
        for _ in 0..10_000 {
            writer.append(&line).unwrap();
        }
        started.elapsed() / 10_000
    });
    println!(
        "append  400 bytes:          {:>8.2} us",
        append.as_secs_f64() * 1e6
    );
    let marks = median(|_| {
        let started = Instant::now();
        for _ in 0..10_000 {
            std::hint::black_box(writer.marks());
        }
        started.elapsed() / 10_000
    });
    println!(
        "marks:                      {:>8.2} us",
        marks.as_secs_f64() * 1e6
    );
    let path = dir.join("large");
    let rate = median(|round| {
        std::fs::write(&path, text(round + 7, 256 << 20)).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let started = Instant::now();
        writer.put_file(&file, u64::MAX, Keeping::Lasting).unwrap();
        started.elapsed()
    });
    println!(
        "put_file 256 MiB of text:   {:>8.0} MiB/s",
        256.0 / rate.as_secs_f64()
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
