//! Telling people of what waits for them: webhooks, chat and e-mail, kept in an outbox and sent until they are told.
//!
//! [`Channels`] is the configuration: who is told of what, by which way. [`Outbox`] keeps a [`Message`] durably before
//! anything is sent, once per channel and event, and a [`Deliverer`] sends what waits there, with back-off, until it is
//! told or given up, and both can be seen. What is sent is described in `docs/formats/notifications.md`.
//!
//! Absences that hold: nothing is decided here; a link only shows a hold, and deciding it needs a sign-in. No secret of a
//! channel is in a message, an error, a `Debug` text or the outbox. Nothing follows a redirect.
//!
//! Delivery is *at least once*: a process that is killed between sending and noting it sends again, under the same
//! id, by which receivers tell the second from the first.

mod channels;
mod form;
mod http;
mod mail;
mod message;
mod outbox;
mod sending;
mod slack;
mod tell;
mod webhook;
mod words;

pub use channels::{Channel, Channels, ChannelsError, Fault, Way};
pub use message::{Event, Message, MessageError};
pub use outbox::{ChannelStatus, Deliverer, Delivering, Delivery, Outbox, OutboxError, Pace, State};
