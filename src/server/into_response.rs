//! What handlers may return: a response, a value that can become one, nothing, or an error.

use bytes::Bytes;

use super::fault::HandlerError;
use super::response::Response;

/// What a handler of [`Server::route`](crate::server::Server::route) may return.
pub trait IntoResponse {
    /// The response, or the error.
    ///
    /// # Errors
    /// The error of the handler.
    fn into_response(self) -> Result<Response, HandlerError>;
}

impl IntoResponse for Response {
    fn into_response(self) -> Result<Response, HandlerError> {
        Ok(self)
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Result<Response, HandlerError> {
        Ok(Response::new())
    }
}

impl IntoResponse for serde_json::Value {
    fn into_response(self) -> Result<Response, HandlerError> {
        Ok(Response::json(&self))
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Result<Response, HandlerError> {
        Ok(Response::text(self))
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Result<Response, HandlerError> {
        Ok(Response::content(
            "text/plain; charset=utf-8",
            Bytes::from_static(self.as_bytes()),
        ))
    }
}

impl<T: IntoResponse, E: Into<HandlerError>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Result<Response, HandlerError> {
        self.map_err(Into::into)?.into_response()
    }
}

/// What a handler of [`Server::handle`](crate::server::Server::handle) may return: nothing, or a result.
pub trait Outcome {
    /// Whether it succeeded.
    ///
    /// # Errors
    /// The error of the handler.
    fn outcome(self) -> Result<(), HandlerError>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: Into<HandlerError>> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), HandlerError> {
        self.map_err(Into::into)
    }
}
