//! What a second implementation wrote from the document alone is read, verified and continued, byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{Scratch, id};
use rescind_model::{Digest, Locator};
use rescind_vault::{Expect, Keeping, Mark};
use std::fs;
use std::path::Path;

const BY_HAND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/by_hand");

/// As printed by tests/fixtures/write_by_hand.py.
fn marks() -> Vec<Mark> {
    let mark = |file: &str, length, hex: &str| Mark {
        file: file.to_owned(),
        length,
        digest: format!("sha256:{hex}").parse().unwrap(),
    };
    vec![
        mark(
            "journal",
            672,
            "c518209303e85f7b1591565c4cbdb5d5166e0888a8ead881dd2505238561afe9",
        ),
        mark(
            "pack.000001",
            256,
            "86574aabcdffcba14148b9c934b62a71da2780823862d736b50aa4bd55008d62",
        ),
    ]
}

fn put_key(scratch: &Scratch) {
    fs::copy(
        Path::new(BY_HAND).join("key"),
        scratch.path("keys").join(id(1).as_str()),
    )
    .unwrap();
}

fn by_hand() -> Scratch {
    let scratch = Scratch::new();
    put_key(&scratch);
    fs::create_dir(scratch.session_path(&id(1), "")).unwrap();
    for file in ["journal", "pack.000001"] {
        fs::copy(Path::new(BY_HAND).join(file), scratch.session_path(&id(1), file)).unwrap();
    }
    scratch
}

#[test]
fn a_session_written_by_another_implementation_is_read_and_continued() {
    let scratch = by_hand();
    let verified = scratch
        .vault
        .verify_session(&id(1), &marks(), Expect::default())
        .unwrap();
    assert_eq!((verified.faults, verified.frames), (vec![], 7));
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    let frames: Vec<_> = reader.frames(0).unwrap().map(|frame| frame.unwrap().1).collect();
    assert_eq!(frames, [b"first".to_vec(), vec![], b"last ".repeat(100)]);
    let read = |text: &str| reader.read_all(&Locator(text.to_owned()), 1 << 30).unwrap();
    assert_eq!(read("blob:pack.000001@16+16"), b"content as it is");
    assert_eq!(read("blob:pack.000001@57+15"), b"content in zstd");
    let mut expected = vec![0; 6_000_000];
    expected[100..116].copy_from_slice(b"content as it is");
    expected[5_000_000..5_000_015].copy_from_slice(b"content in zstd");
    assert!(read("blob:pack.000001@167+6000000") == expected);
    let writer = scratch.vault.resume_session(&id(1)).unwrap();
    assert_eq!(writer.marks(), marks());
    assert_eq!(writer.append(b"more").unwrap(), 672);
}

#[test]
fn what_we_write_is_what_the_other_implementation_writes() {
    let scratch = Scratch::new();
    put_key(&scratch);
    let writer = scratch.vault.resume_session(&id(1)).unwrap();
    writer.append(b"first").unwrap();
    writer.put(b"content as it is", Keeping::Lasting).unwrap();
    for (file, length) in [("journal", 45), ("pack.000001", 57)] {
        let theirs = fs::read(Path::new(BY_HAND).join(file)).unwrap();
        assert_eq!(
            fs::read(scratch.session_path(&id(1), file)).unwrap(),
            theirs[..length]
        );
        let mark = writer.marks().into_iter().find(|mark| mark.file == file).unwrap();
        assert_eq!(
            (mark.length, mark.digest),
            (length as u64, Digest::of(&theirs[..length]))
        );
    }
}

#[test]
fn torn_bytes_become_the_void_frame_that_the_other_implementation_writes() {
    let theirs = fs::read(Path::new(BY_HAND).join("journal")).unwrap();
    let torn = b"torn after these bytes, which are more than twenty-four";
    for torn in [&torn[..], b"short"] {
        let scratch = Scratch::new();
        put_key(&scratch);
        fs::create_dir(scratch.session_path(&id(1), "")).unwrap();
        let path = scratch.session_path(&id(1), "journal");
        // The first void frame begins at 45 and has 55 bytes, the second comes after it.
        let start = if torn.len() > 24 { 45 } else { 45 + 55 };
        fs::write(&path, [&theirs[..start], torn].concat()).unwrap();
        drop(scratch.vault.resume_session(&id(1)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), theirs[..start + torn.len().max(24)]);
    }
}
