//! Telling people of holds: webhooks, chat, e-mail; retried until they are told.
