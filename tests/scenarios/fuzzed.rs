//! The API, given whatever its own document allows, and what it does not.
