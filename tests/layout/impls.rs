//! Types: methods stand in the file of their type, a public name stands once, and the SIP endpoint stays a router.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::{Fields, Item, Type, Visibility};

use super::modules::{ModuleMap, Resolution};
use super::source::{SourceFile, product_tree};

/// Inherent `impl` blocks outside the file of their type. File, type, why.
const APART: &[(&str, &str, &str)] = &[
    ("src/call/in_dialog_requests.rs", "EstablishedCall", CALL),
    ("src/call/keys.rs", "EstablishedCall", CALL),
    ("src/call/sms_opt_in.rs", "EstablishedCall", CALL),
    ("src/meeting/state/effects.rs", "MeetingState", MEETING),
    ("src/meeting/state/guests.rs", "MeetingState", MEETING),
    ("src/meeting/state/pages.rs", "MeetingState", MEETING),
    ("src/meeting/state/requests.rs", "MeetingState", MEETING),
    ("src/meeting/state/room.rs", "MeetingState", MEETING),
    ("src/meeting/state/sms.rs", "MeetingState", MEETING),
    ("src/meeting/task/ledger.rs", "MeetingEffects", EFFECTS),
    ("src/meeting/task/relay.rs", "MeetingEffects", EFFECTS),
    ("src/policy/meeting_end.rs", "Policy", POLICY),
    ("src/policy/notice_reports.rs", "Policy", POLICY),
    ("src/policy/queries.rs", "Policy", POLICY),
    ("src/policy/requests.rs", "Policy", POLICY),
    ("src/policy/settle.rs", "Policy", POLICY),
    ("src/relay/consent.rs", "Relay", RELAY),
    ("src/relay/inbound.rs", "Relay", RELAY),
    ("src/relay/joining.rs", "Relay", RELAY),
];

const CALL: &str =
    "what a call does with media is one machine; a key, a request of the dialog and an answer of the relay may each end it";
const MEETING: &str =
    "one meeting's facts are one whole; where they come from (pages, devices, the relay, the rules) is a file each";
const EFFECTS: &str = "what a meeting's task does outside of it, by whom it does it with";
const POLICY: &str = "the rules are derived from all facts together; asking, requests, notices and what follows are a file each";
const RELAY: &str = "one table of devices and numbers; opting in, joining and texts that come in are a file each";

/// Names that two types have, and why each is the word that the RFC or a reader of its folder expects.
const TWICE: &[(&str, &str)] = &[
    ("Capture", "the state of a recording in the rules; the HEP capture server that SIP is copied to"),
    ("Command", "a subcommand of the program, as clap calls it; what the SIP endpoint is told to do"),
    ("Event", "what the SIP endpoint tells calls; what the API's stream of events tells (both always named with their module)"),
    ("Settings", "the whole configuration; what the SIP endpoint is given of it (always `sip::Settings`)"),
    ("Via", "the header of RFC 3261 section 20.42; by what somebody is in a meeting"),
];

/// The router of SIP: its file, and its fields at most.
const ENDPOINT: &str = "src/sip/endpoint.rs";
const ENDPOINT_FIELDS: usize = 12;

/// Calls `found` with each item of product code, its module and its file, those of inline modules included.
fn each_item<'a>(items: &'a [Item], module: &[String], found: &mut impl FnMut(&'a Item, &[String])) {
    for item in items {
        match item {
            Item::Mod(syn::ItemMod { content: Some((_, content)), ident, .. }) => {
                each_item(content, &[module, &[ident.to_string()]].concat(), found);
            }
            item => found(item, module),
        }
    }
}

/// The name of the type that an inherent `impl` is for.
fn inherent(item: &Item) -> Option<Vec<String>> {
    let Item::Impl(block) = item else { return None };
    match (&block.trait_, &*block.self_ty) {
        (None, Type::Path(path)) => Some(path.path.segments.iter().map(|segment| segment.ident.to_string()).collect()),
        _ => None,
    }
}

fn impls_apart(files: &[SourceFile], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let modules = ModuleMap::of(files);
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        each_item(&file.product, &file.module, &mut |item, module| {
            let Some(path) = inherent(item) else { return };
            let home = match modules.resolve(module, &path) {
                Resolution::Item(home) if home == index => return,
                Resolution::Item(home) => files[home].path.as_str(),
                _ => "an unknown file",
            };
            let (name, line) = (path.last().map_or("", String::as_str), item.span().start().line);
            match exceptions.iter().find(|(path, of, _)| *path == file.path && *of == name) {
                Some(exception) => used.push(exception),
                None => wrong.push(format!(
                    "{}:{line}: `impl {name}`, a type of {home}; move it there, or give the methods a type of their own",
                    file.path
                )),
            }
        });
    }
    let vain = exceptions.iter().filter(|exception| !used.contains(exception));
    wrong.extend(vain.map(|(path, name, _)| format!("APART lists `{name}` in {path}, and there is no such `impl`: take it out")));
    wrong
}

#[test]
fn methods_stand_in_the_file_of_their_type() {
    assert!(APART.is_sorted(), "APART is sorted");
    let wrong = impls_apart(&product_tree(), APART);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The name and the visibility of a type.
fn declared_type(item: &Item) -> Option<(String, &Visibility)> {
    match item {
        Item::Enum(item) => Some((item.ident.to_string(), &item.vis)),
        Item::Struct(item) => Some((item.ident.to_string(), &item.vis)),
        Item::Trait(item) => Some((item.ident.to_string(), &item.vis)),
        Item::Type(item) => Some((item.ident.to_string(), &item.vis)),
        Item::Union(item) => Some((item.ident.to_string(), &item.vis)),
        _ => None,
    }
}

/// Types that can be named outside their module and share their name with another one.
fn names_twice(files: &[SourceFile], exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        each_item(&file.product, &file.module, &mut |item, _| {
            if let Some((name, visibility)) = declared_type(item)
                && matches!(visibility, Visibility::Public(_))
            {
                places.entry(name).or_default().push(format!("{}:{}", file.path, item.span().start().line));
            }
        });
    }
    let shared = |name: &str| places.get(name).is_some_and(|places| places.len() > 1);
    let is_listed = |name: &str| exceptions.iter().any(|(listed, _)| *listed == name);
    let mut wrong: Vec<String> = places
        .iter()
        .filter(|(name, places)| places.len() > 1 && !is_listed(name))
        .map(|(name, places)| format!("`{name}` is at {}; the type says its subject", places.join(" and ")))
        .collect();
    let vain = exceptions.iter().filter(|(name, _)| !shared(name));
    wrong.extend(vain.map(|(name, _)| format!("TWICE lists `{name}`, which stands once: take it out")));
    wrong
}

#[test]
fn a_public_type_name_stands_once() {
    let wrong = names_twice(&product_tree(), TWICE);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What makes the endpoint more than a router.
fn endpoint_faults(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut blocks, mut fields) = (0, None);
    for file in files {
        each_item(&file.product, &file.module, &mut |item, _| match item {
            Item::Struct(item) if item.ident == "Endpoint" && file.path == ENDPOINT => {
                fields = Some(if let Fields::Named(named) = &item.fields { named.named.len() } else { 0 });
            }
            item if inherent(item).is_some_and(|path| path.last().is_some_and(|name| name == "Endpoint")) => {
                blocks += 1;
                if file.path != ENDPOINT || blocks > 1 {
                    let line = item.span().start().line;
                    wrong.push(format!("{}:{line}: one `impl Endpoint`, in {ENDPOINT}; a usage owns its part", file.path));
                }
            }
            _ => {}
        });
    }
    match fields {
        None => wrong.push(format!("{ENDPOINT}: no `struct Endpoint`")),
        Some(fields) if fields > ENDPOINT_FIELDS => {
            wrong.push(format!("{ENDPOINT}: {fields} fields of at most {ENDPOINT_FIELDS}; a usage owns its part"));
        }
        Some(_) => {}
    }
    wrong
}

#[test]
fn the_endpoint_only_routes() {
    let wrong = endpoint_faults(&product_tree());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn impls_apart_and_names_twice_are_found() {
    let fields = (0..=ENDPOINT_FIELDS).map(|n| format!("f{n}: u8,")).collect::<String>();
    let endpoint = format!("pub struct Endpoint {{ {fields} }}\nimpl Endpoint {{}}\n");
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "mod sip;\n"),
        ("src/sip/mod.rs", "mod endpoint;\nmod other;\npub use endpoint::Endpoint as Renamed;\n"),
        ("src/sip/endpoint.rs", &endpoint),
        (
            "src/sip/other.rs",
            "use super::Renamed;\nimpl Renamed {}\nimpl Drop for Renamed {}\npub enum Endpoint {}\nimpl Endpoint {}\n",
        ),
    ]);
    let wrong = impls_apart(&files, &[("src/sip/other.rs", "Gone", "")]);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("src/sip/other.rs:2: `impl Renamed`, a type of src/sip/endpoint.rs"), "{wrong:?}");
    assert!(impls_apart(&files, &[("src/sip/other.rs", "Renamed", "")]).is_empty());
    assert_eq!(
        names_twice(&files, &[]),
        ["`Endpoint` is at src/sip/endpoint.rs:1 and src/sip/other.rs:4; the type says its subject"]
    );
    assert_eq!(endpoint_faults(&files).len(), 2, "{:?}", endpoint_faults(&files));
}
