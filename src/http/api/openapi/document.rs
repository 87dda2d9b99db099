//! The document itself: what all routes have in common is written here once.

use std::collections::BTreeMap;

use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response,
    ResponseBuilder, Schema, ServerBuilder, Type,
};

use super::super::events::Lagged;
use super::super::participants::Act;
use crate::http::problem_details::Problem;
use crate::http::session;

/// The path of the API at this server.
pub(in crate::http) const ROOT: &str = "/api/v1";
const PROBLEM: &str = "application/problem+json";
const ABOUT: &str = "Meetings, calls and records of a Roomgate. The operator's token sees and steers all of it; a member's session \
                     cookie sees what belongs to its own meeting, and may do there what the member's open page may do; a device's token \
                     sees its own calls and contacts, and the meeting it is in as its phone may. Errors are problem details (RFC 9457) \
                     with a stable `code`.";

#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(Problem, Act, Lagged)),
    tags(
        (name = "meetings", description = "Meetings and who is in them"),
        (name = "calls", description = "Calls that are up, or were a short while ago"),
        (name = "recordings", description = "Recordings of meetings"),
        (name = "events", description = "What happens, as it happens"),
        (name = "records", description = "Records of calls that are over"),
        (name = "operator", description = "For the operator alone"),
    )
)]
struct Frame;

/// The document without its routes. `schemas`: of answers that are made elsewhere.
pub(in crate::http::api) fn frame(schemas: &[(String, RefOr<Schema>)]) -> OpenApi {
    let mut document = Frame::openapi();
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new().title("Roomgate").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    document.info = info.license(Some(license)).build();
    document.servers = Some(vec![ServerBuilder::new().url(ROOT).build()]);
    let operator = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The operator's token, or a device's (`api_token` of `[device.X]`)."))
        .build();
    let about = "The session of a member, by a member link: a cookie for each meeting, with the meeting's id in the place of MEETING. Over \
                 the plain HTTP of this machine its name has no `__Host-`.";
    let name = format!("{}MEETING", session::cookie_prefix(true));
    let member = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(name, about.to_owned())));
    let components = ComponentsBuilder::from(document.components.take().unwrap_or_default())
        .schemas_from_iter(schemas.iter().cloned())
        .security_scheme("operator", SecurityScheme::Http(operator))
        .security_scheme("member", member);
    document.components = Some(components.build());
    let requirement = |name: &str| SecurityRequirement::new::<_, [&str; 0], &str>(name, []);
    document.security = Some(vec![requirement("operator"), requirement("member")]);
    document
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operator", security(()), responses(
    (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value),
))]
pub(in crate::http::api) async fn document(Extension(Text(text)): Extension<Text>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// The document as it is served.
#[derive(Clone)]
pub(in crate::http::api) struct Text(Bytes);

/// Adds to each route what it has in common with others.
pub(in crate::http::api) fn text(mut document: OpenApi) -> Text {
    for operation in document.paths.paths.values_mut().flat_map(operations).filter(|one| one.security.is_none()) {
        complete(operation);
    }
    let mut document = serde_json::to_value(&document).unwrap_or_default();
    super::finish::finish(&mut document);
    Text(document.to_string().into())
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Adds what every answer of its kind may be, and says that each refusal is a [`Problem`].
fn complete(operation: &mut Operation) {
    let mut common = BTreeMap::from([
        ("401", "Nobody is signed in, or the token is wrong."),
        ("403", "The caller may not do this, or a browser asks for another site."),
        ("429", "Too many requests, or too many wrong tokens: wait for as long as `Retry-After` says."),
        ("503", "This cannot be answered at the moment; try again."),
    ]);
    let asks = |wanted: ParameterIn| {
        let parameters = operation.parameters.iter().flatten();
        parameters
            .filter_map(|one| match one {
                RefOr::T(parameter) => Some(&parameter.parameter_in),
                RefOr::Ref(_) => None,
            })
            .any(|found| *found == wanted)
    };
    if asks(ParameterIn::Path) {
        common.insert("404", "There is no such thing, or none that the caller may see.");
    }
    if asks(ParameterIn::Query) {
        common.insert("400", "The query is not understood.");
    }
    if operation.request_body.is_some() {
        common.insert("400", "The body is not understood.");
        common.insert("413", "The body is too large.");
    }
    let responses = &mut operation.responses.responses;
    for (status, about) in common {
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(about)));
    }
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let RefOr::T(response) = response else { continue };
        if !response.content.is_empty() {
            continue;
        }
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut built = ResponseBuilder::new().description(response.description.clone()).content(PROBLEM, content);
        if status == "429" {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
            built = built.header("Retry-After", HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds.")).build());
        }
        *response = built.build();
    }
}
