//! Appends per second at level `power`, 1 KiB entries, against `pwrite` + `fdatasync` on a preallocated file
//! of the same folder. The probe and each row are interleaved, round by round, since the disk's sync time
//! jumps when others write; what counts is the median of the ratios.
//!
//! `cargo run --release -p rescind-ledger --example append_bench -- [DIR] [ROUNDS]`

use rescind_ledger::{Ledger, Options};
use rescind_model::Level;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ENTRY: usize = 1024;
const ROUND: Duration = Duration::from_millis(400);

/// Syncs per second of the disk itself.
fn raw(dir: &Path) -> Result<f64, Failure> {
    let path = dir.join("raw-probe");
    let file = std::fs::File::create(&path)?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 64 << 20)?;
    file.sync_all()?;
    let frame = vec![7_u8; ENTRY + 8];
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < ROUND {
        file.write_all_at(&frame, count * frame.len() as u64)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// Appends per second of this many producers, and the 50th and 99th percentile of one append in µs.
fn ledger(ledger: &Ledger, producers: usize, level: Level) -> Result<(f64, u128, u128), Failure> {
    let entry = vec![7_u8; ENTRY];
    let start = Instant::now();
    let times: Result<Vec<Vec<Duration>>, Failure> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..producers)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = Vec::new();
                    while start.elapsed() < ROUND {
                        let before = Instant::now();
                        ledger.append(&entry, level)?;
                        times.push(before.elapsed());
                    }
                    Ok(times)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a producer panicked")?)
            .collect()
    });
    let elapsed = start.elapsed().as_secs_f64();
    let mut times: Vec<Duration> = times?.into_iter().flatten().collect();
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .map_or(0, Duration::as_micros)
    };
    Ok((times.len() as f64 / elapsed, at(50), at(99)))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().unwrap_or_else(|| ".".to_owned());
    let rounds: usize = arguments.next().map_or(Ok(9), |text| text.parse())?;
    let dir = tempfile::tempdir_in(parent)?;
    let handle = Ledger::open(&dir.path().join("ledger"), &Options::default())?;
    let background = handle.start_background()?;
    println!("level      producers   appends/s   raw syncs/s   ratio (median of {rounds})   p50 µs   p99 µs");
    let rows = [
        (Level::Power, 1),
        (Level::Power, 16),
        (Level::Power, 64),
        (Level::Power, 256),
        (Level::Process, 1),
        (Level::Process, 16),
    ];
    for (level, producers) in rows {
        let (mut ratios, mut rates, mut raws, mut p50, mut p99) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..rounds {
            let before = raw(dir.path())?;
            let (rate, half, tail) = ledger(&handle, producers, level)?;
            let probe = f64::midpoint(before, raw(dir.path())?);
            ratios.push(rate / probe);
            rates.push(rate);
            raws.push(probe);
            p50.push(half as f64);
            p99.push(tail as f64);
        }
        println!(
            "{:<10} {producers:>9} {:>11.0} {:>13.0} {:>7.2} {:>28.0} {:>8.0}",
            format!("{level:?}").to_lowercase(),
            median(&mut rates),
            median(&mut raws),
            median(&mut ratios),
            median(&mut p50),
            median(&mut p99)
        );
    }
    background.stop()?;
    whole(&handle)
}

/// What depends on the length of the ledger, once each.
fn whole(handle: &Ledger) -> Result<(), Failure> {
    let length = handle.len()?;
    let start = Instant::now();
    let again = Ledger::open(handle.dir(), &Options::default())?;
    let opening = start.elapsed();
    let start = Instant::now();
    again.read(length / 2..length / 2 + 1)?;
    let reading = start.elapsed();
    let start = Instant::now();
    again.prove(length / 2)?;
    let proving = start.elapsed();
    let start = Instant::now();
    let report = again.verify(None);
    let verifying = start.elapsed();
    println!(
        "{length} entries: open {opening:.1?}, read one in the middle {reading:.1?}, prove {proving:.1?}, verify {verifying:.1?}"
    );
    if report.is_sound() {
        Ok(())
    } else {
        Err("the ledger is not sound".into())
    }
}
