//! The driver of the in-memory surface passes the suite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use rescind_conformance::{CASES, Fixture};
use rescind_memory::{Edit, Item, Records, Shelf, World, Writer};
use rescind_model::{ResourceId, Surface};
use rescind_supervisor::{Bodies, Driver};

struct Memory<'a> {
    world: &'a World,
    driver: Records<'a>,
    shelf: Shelf<'a>,
}

impl Memory<'_> {
    fn edit(&self, edit: &Edit) {
        assert!(self.world.edit(&Writer::Person, edit), "{edit:?} can't be done");
    }
}

impl Fixture for Memory<'_> {
    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn bodies(&self) -> &dyn Bodies {
        &self.shelf
    }

    fn place(&self, path: &str) -> (ResourceId, String) {
        (
            ResourceId {
                surface: Surface::Memory,
                key: path.as_bytes().to_vec(),
            },
            format!("/{path}"),
        )
    }

    fn put(&self, path: &str, text: &str) {
        let (key, text) = (path.to_owned(), text.to_owned());
        match self.world.record(path) {
            None => self.edit(&Edit::Record { key, n: 1, text }),
            Some(_) => self.edit(&Edit::Write { key, text }),
        }
    }

    fn text(&self, path: &str) -> String {
        match self.world.record(path).unwrap().item("text") {
            Some(Item::Body { bytes, .. }) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{path} has {other:?} for a text"),
        }
    }

    fn folder(&self, path: &str) {
        self.edit(&Edit::Table { key: path.to_owned() });
    }

    fn remove(&self, path: &str) {
        self.edit(&Edit::Remove { key: path.to_owned() });
    }

    fn change_other(&self, path: &str) {
        self.edit(&Edit::Int {
            key: path.to_owned(),
            field: "m",
            value: 77,
        });
    }
}

fn run(name: &str) {
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let world = World::new();
    (case.run)(&Memory {
        world: &world,
        driver: Records(&world),
        shelf: Shelf(&world),
    });
}

#[test]
fn it_passes_every_case() {
    for case in CASES {
        println!("{}", case.name);
        run(case.name);
    }
}
