//! The routes that are not in the API's document: pages and what they load. Each is listed as it is added, so that who checks who
//! may reach what can't forget one.

use crate::app::Shared;
use axum::Router;
use axum::handler::Handler;
use axum::routing::{get, post};

/// Routes, with a list of them.
#[derive(Default)]
pub struct Pages {
    router: Router<Shared>,
    listed: Vec<String>,
}

impl Pages {
    /// Something to look at.
    #[must_use]
    pub fn get<H, T>(self, path: &str, handler: H) -> Self
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        self.list("GET", path, get(handler))
    }

    /// Something to do.
    #[must_use]
    pub fn post<H, T>(self, path: &str, handler: H) -> Self
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        self.list("POST", path, post(handler))
    }

    fn list(mut self, method: &str, path: &str, route: axum::routing::MethodRouter<Shared>) -> Self {
        self.listed.push(format!("{method} {path}"));
        self.router = self.router.route(path, route);
        self
    }

    /// `METHOD /path` of each.
    #[must_use]
    pub fn listed(&self) -> &[String] {
        &self.listed
    }

    /// The routes themselves.
    pub fn router(self) -> Router<Shared> {
        self.router
    }
}
