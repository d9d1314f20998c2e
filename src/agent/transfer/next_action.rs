//! What a transfer does next.

use std::time::Duration;

use crate::agent::event::RetryCause;
use crate::agent::pool::ConnectionKey;
use crate::error::Error;
use crate::semantics::redirect::Redirection;
use crate::semantics::retry::RetryState;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) enum NextAction {
    /// Delivers the content of the response to its output.
    Deliver,
    /// Ends: the response is whole.
    Finish,
    /// Ends: the content that arrived before the connection was lost was whole.
    FinishPartial,
    /// Finishes the file, which is whole.
    Commit,
    /// Ends with an error.
    Fail(Error),
    /// Follows a redirect.
    Redirect(Box<Redirection>),
    /// Sends the request again at once.
    SendAgain(Change),
    /// Sends the request again over a new connection: the one that was kept open was stale.
    Reconnect,
    /// Sends the request to the next origin of its list.
    NextOrigin,
    /// Sends the request again after a delay. `retries` are the attempts so far, with this one.
    Retry {
        delay: Duration,
        cause: RetryCause,
        retries: RetryState,
    },
    /// Delivers the stored response, which the server confirmed.
    #[cfg(feature = "cache")]
    Revalidated,
    /// Delivers the stored response, because the server failed.
    #[cfg(feature = "cache")]
    ServeStale,
    /// Does what was decided when the head of the response arrived.
    AsPlanned,
    /// Reports that it has waited for a connection for long.
    ReportQueued,
    /// Drives its connection.
    Drive(ConnectionKey),
    /// Waits on.
    Wait,
}

/// How a request that is sent again differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// It does not ask whether its content is wanted (RFC 9110 §10.1.1).
    NoExpectation,
    /// It asks for the whole content, not for the rest of what arrived.
    DropPartial,
    /// The same, for content that goes to a file.
    RestartFile,
    /// It asks for the rest of a file of which the server sent a part.
    ContinueFile,
}
