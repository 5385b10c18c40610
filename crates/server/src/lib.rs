//! The control plane: API, console, event stream.
