//! What the machines of section 17 answer with.

/// What a transaction wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing is to be done.
    Nothing,
    /// Send the request, or the last response, again.
    Resend,
    /// Hand the response to the transaction's user.
    Pass,
    /// Acknowledge a refusal, and hand it to the transaction's user.
    AckAndPass,
    /// Acknowledge a refusal again.
    Ack,
    /// Nobody answered (B, F), or nobody acknowledged (H). The transaction is over.
    TimedOut,
    /// The transaction is over.
    Over,
}
