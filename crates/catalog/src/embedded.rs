//! The built-in catalog: the files of `catalog/`, in the binary.

/// Name and text of each file.
pub(crate) const FILES: &[(&str, &str)] = &[];
