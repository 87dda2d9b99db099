//! The source files below `src`, parsed, with the module that each is and the product code in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::{Attribute, ImplItem, Item, Meta};

use super::rules::root;

/// The crate as its own binary names it.
pub(super) const CRATE: &str = "roomgate";

/// A source file.
pub(super) struct SourceFile {
    /// From the root of the repository: `src/sip/endpoint.rs`.
    pub(super) path: String,
    /// The module that it is: `["sip", "endpoint"]`; empty for `src/lib.rs`.
    pub(super) module: Vec<String>,
    /// Lines, tests and comments included.
    pub(super) lines: usize,
    /// Everything in it.
    pub(super) syntax: syn::File,
    /// What is compiled without `cfg(test)`; empty in a file that is declared with it.
    pub(super) product: Vec<Item>,
    /// It is compiled for tests only.
    pub(super) is_test: bool,
}

impl SourceFile {
    /// It is the module file of a folder.
    pub(super) fn is_module_file(&self) -> bool {
        self.path.ends_with("/mod.rs")
    }
}

/// All source files, sorted by path.
pub(super) fn product_tree() -> Vec<SourceFile> {
    let mut texts = Vec::new();
    read(&root().join("src"), &mut texts);
    parsed(&texts)
}

/// Files by path and text, as if they stood in the repository.
pub(super) fn synthetic_tree(texts: &[(&str, &str)]) -> Vec<SourceFile> {
    parsed(&texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect::<Vec<_>>())
}

/// Every Rust file below a folder, with its path from the root of the repository.
pub(super) fn read(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            read(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            texts.push((name, fs::read_to_string(&path).expect("a source file is text")));
        }
    }
    texts.sort();
}

fn parsed(texts: &[(String, String)]) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = texts.iter().map(|(path, text)| one(path, text)).collect();
    // From the root down: what a test module declares is a test as well.
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|index| files[*index].module.len());
    let by_module: BTreeMap<Vec<String>, usize> =
        order.iter().rev().map(|index| (files[*index].module.clone(), *index)).collect();
    for index in order {
        let Some((name, parent)) = files[index].module.split_last() else { continue };
        let Some(parent) = by_module.get(parent).filter(|parent| **parent != index) else { continue };
        let declared = |items: &[Item]| items.iter().any(|item| matches!(item, Item::Mod(module) if module.ident == name));
        let is_test = files[*parent].is_test || (declared(&files[*parent].syntax.items) && !declared(&files[*parent].product));
        if is_test {
            files[index].is_test = true;
            files[index].product.clear();
        }
    }
    files
}

fn one(path: &str, text: &str) -> SourceFile {
    let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let product = without_tests(syntax.items.clone());
    SourceFile { path: path.to_owned(), module: module_of(path), lines: text.lines().count(), syntax, product, is_test: false }
}

fn module_of(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    match inside {
        "lib" => Vec::new(),
        // The binary is a crate beside the library: no module of it has this name.
        "main" => vec!["bin:main".to_owned()],
        _ => inside.split('/').map(str::to_owned).collect(),
    }
}

/// The items without those that only tests have, at any depth.
fn without_tests(items: Vec<Item>) -> Vec<Item> {
    let mut kept = Vec::new();
    for mut item in items {
        if is_test_only(attributes(&item)) {
            continue;
        }
        match &mut item {
            Item::Mod(module) => {
                if let Some((_, content)) = &mut module.content {
                    *content = without_tests(std::mem::take(content));
                }
            }
            Item::Impl(block) => block.items.retain(|item| !is_test_only(impl_attributes(item))),
            _ => {}
        }
        kept.push(item);
    }
    kept
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn impl_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, alone or in an `all`; an `any` may be a feature of the product.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let words: Vec<String> = list.tokens.to_string().split([' ', '(', ')', ',']).map(str::to_owned).collect();
        let is_conjunction = words.first().is_some_and(|word| word == "test" || word == "all");
        is_conjunction && words.iter().any(|word| word == "test") && !words.iter().any(|word| word == "not" || word == "any")
    })
}

#[test]
fn test_modules_are_told_from_product_code() {
    let files = synthetic_tree(&[
        ("src/lib.rs", "mod a;\n#[cfg(test)]\nmod scenario;\n"),
        (
            "src/a.rs",
            "fn kept() {}\n#[cfg(any(test, feature = \"bench\"))]\nfn rig() {}\n#[cfg(test)]\nmod tests { fn gone() {} }\n",
        ),
        ("src/scenario/mod.rs", "mod world;\n"),
        ("src/scenario/world.rs", "fn gone() {}\n"),
    ]);
    let product: Vec<(&str, usize, bool)> =
        files.iter().map(|file| (file.path.as_str(), file.product.len(), file.is_test)).collect();
    assert_eq!(
        product,
        [("src/lib.rs", 1, false), ("src/a.rs", 2, false), ("src/scenario/mod.rs", 0, true), ("src/scenario/world.rs", 0, true)]
    );
}
