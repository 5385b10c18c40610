//! What the suite needs of a surface.

use rescind_model::ResourceId;
use rescind_supervisor::{Bodies, Driver};

/// A surface to run the suite on, empty at first. Paths are `a` or `f/a`: items with a text, and folders of items, one
/// level deep. What it does is done by somebody, not through the driver.
pub trait Fixture {
    /// The driver.
    fn driver(&self) -> &dyn Driver;

    /// Where bodies are kept.
    fn bodies(&self) -> &dyn Bodies;

    /// The resource at a path and what people call it, whether it is there or not. In a folder that is not there any
    /// more, it is the resource that was in it.
    fn place(&self, path: &str) -> (ResourceId, String);

    /// Make an item with this text, or write the text of one that is there anew.
    fn put(&self, path: &str, text: &str);

    /// The text of an item that is there.
    fn text(&self, path: &str) -> String;

    /// Make a folder.
    fn folder(&self, path: &str);

    /// Remove an item, or a folder that is empty.
    fn remove(&self, path: &str);

    /// Change something of an item that is not its text and does not follow from it: permissions, a number.
    fn change_other(&self, path: &str);
}
