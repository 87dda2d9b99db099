//! What the operator's API reads from the store and from the registrar.

use std::sync::Arc;

use crate::app::registration_store;
use crate::http;
use crate::sip;
use crate::store;

pub(super) fn devices(sip: &sip::Handle) -> http::Query {
    let sip = sip.clone();
    Arc::new(move |limit| {
        let sip = sip.clone();
        Box::pin(async move {
            let mut found = registration_store::list(&sip).await;
            found.truncate(limit);
            rows(found)
        })
    })
}

pub(super) fn chats(store: &store::StoreHandle) -> http::Query {
    let store = store.clone();
    Arc::new(move |limit| {
        let store = store.clone();
        Box::pin(async move {
            let mut found = store.chats().await?;
            found.truncate(limit);
            rows(found)
        })
    })
}

pub(super) fn rows<T: serde::Serialize>(rows: Vec<T>) -> Result<Vec<serde_json::Value>, http::QueryError> {
    rows.into_iter().map(|row| serde_json::to_value(row).map_err(Into::into)).collect()
}
