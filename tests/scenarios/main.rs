//! whole-system scenarios
