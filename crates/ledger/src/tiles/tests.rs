use super::*;

fn name(kind: Kind, number: u64, width: u64) -> Name {
    Name { kind, number, width }
}

#[test]
fn names_have_the_paths_of_the_specification_and_no_other() {
    assert_eq!(name(Kind::Tile(0), 1_234_067, 256).path(), "tile/0/x001/x234/067");
    assert_eq!(name(Kind::Bundle, 273, 112).path(), "tile/entries/273.p/112");
    for name in [
        name(Kind::Tile(0), 0, 1),
        name(Kind::Tile(63), 1000, 256),
        name(Kind::Bundle, 1_234_067, 255),
    ] {
        assert_eq!(Name::parse(&name.path()), Some(name));
    }
    for path in [
        "tile/0/1",
        "tile/0/x001",
        "tile/00/001",
        "tile/64/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/07",
        "tile/0/x000/001",
        "tile/0/../001",
        "checkpoint",
        "tile/0/001/",
        "tile/0/+01",
    ] {
        assert_eq!(Name::parse(path), None, "{path}");
    }
}

#[test]
fn a_tree_of_70000_has_the_tiles_of_the_specification() {
    let mut tiler = Tiler::default();
    let mut out = Vec::new();
    let mut compact = Compact::default();
    for number in 0..70_000_u32 {
        let entry = number.to_le_bytes();
        tiler.push(&entry, &mut out);
        compact.push(leaf_hash(&entry));
        if number % 977 == 0 {
            assert_eq!(tiler.root(), compact.root());
        }
    }
    assert_eq!(tiler.root(), compact.root());
    let full = |kind| out.iter().filter(|object| object.name.kind == kind).count();
    assert_eq!(
        (
            full(Kind::Tile(0)),
            full(Kind::Tile(1)),
            full(Kind::Tile(2)),
            full(Kind::Bundle)
        ),
        (273, 1, 0, 273)
    );
    let partial: Vec<Name> = tiler.partials().iter().map(|object| object.name).collect();
    assert_eq!(
        partial,
        [
            name(Kind::Tile(0), 273, 112),
            name(Kind::Tile(1), 1, 17),
            name(Kind::Tile(2), 0, 1),
            name(Kind::Bundle, 273, 112)
        ]
    );
    assert!(tiler.partials().iter().all(|object| object.name.end() <= 70_000));
    let second = out
        .iter()
        .filter(|object| object.name.kind == Kind::Tile(0))
        .nth(1)
        .unwrap();
    assert_eq!(second.name.number, 1);
    assert_eq!(
        hashes(second.name, &second.bytes).unwrap()[3],
        leaf_hash(&259_u32.to_le_bytes())
    );
}
