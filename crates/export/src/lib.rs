//! The record for other systems: JSON Lines, CloudEvents, OCSF and OpenTelemetry.
