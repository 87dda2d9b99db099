//! Names in modules: which file defines what a path names, through `self`, `super`, renames and re-exports.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Item, UseTree, Visibility};

use super::source::{CRATE, SourceFile};

/// Re-exports that may follow one another before a path is given up as a circle.
const REEXPORTS: usize = 24;

/// One name that a `use` brings.
pub(super) struct Import {
    /// As it is written.
    pub(super) path: Vec<String>,
    /// The name in this module; `None` for a glob.
    pub(super) name: Option<String>,
    /// It can be named from other modules.
    pub(super) is_reexport: bool,
    /// Where it stands.
    pub(super) line: usize,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolution {
    /// An item, in the file with this index.
    Item(usize),
    /// A module.
    Module(Vec<String>),
    /// Something of another crate, or a name of the function around it.
    Foreign,
    /// Something of this crate that the test does not find.
    Unknown,
}

enum Binding {
    Item,
    Import(Vec<String>),
}

struct Module {
    file: usize,
    names: BTreeMap<String, Binding>,
    globs: Vec<Vec<String>>,
    /// Names in the macros that are defined or invoked here: they may be those of items.
    generated: BTreeSet<String>,
}

/// Every module of the crate with its names, those of tests included.
pub(super) struct ModuleMap {
    modules: BTreeMap<Vec<String>, Module>,
}

/// The names of a `use`, one by one.
pub(super) fn imports(item: &syn::ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    let is_reexport = !matches!(item.vis, Visibility::Inherited);
    flatten(&item.tree, &mut Vec::new(), is_reexport, &mut found);
    found
}

fn flatten(tree: &UseTree, before: &mut Vec<String>, is_reexport: bool, found: &mut Vec<Import>) {
    let line = tree.span().start().line;
    let mut bring = |path: Vec<String>, name: Option<String>| found.push(Import { path, name, is_reexport, line });
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, is_reexport, found);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => bring(before.clone(), before.last().cloned()),
        UseTree::Name(name) => bring([before.as_slice(), &[name.ident.to_string()]].concat(), Some(name.ident.to_string())),
        UseTree::Rename(rename) if rename.ident == "self" => bring(before.clone(), Some(rename.rename.to_string())),
        UseTree::Rename(rename) => {
            bring([before.as_slice(), &[rename.ident.to_string()]].concat(), Some(rename.rename.to_string()));
        }
        UseTree::Glob(_) => bring(before.clone(), None),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, is_reexport, found)),
    }
}

// === impl ModuleMap ===

impl ModuleMap {
    pub(super) fn of(files: &[SourceFile]) -> Self {
        let mut map = Self { modules: BTreeMap::new() };
        for (index, file) in files.iter().enumerate() {
            map.add(index, file.module.clone(), &file.syntax.items);
        }
        map
    }

    fn add(&mut self, file: usize, path: Vec<String>, items: &[Item]) {
        let mut module = Module { file, names: BTreeMap::new(), globs: Vec::new(), generated: BTreeSet::new() };
        for item in items {
            match item {
                Item::Use(item) => {
                    for import in imports(item) {
                        match import.name {
                            // `pub use name;` of a macro that is defined here.
                            Some(name) if import.path == [name.clone()] => {
                                module.names.entry(name).or_insert(Binding::Import(import.path));
                            }
                            Some(name) => drop(module.names.insert(name, Binding::Import(import.path))),
                            None => module.globs.push(import.path),
                        }
                    }
                }
                Item::Mod(inline) => {
                    if let Some((_, content)) = &inline.content {
                        self.add(file, [path.as_slice(), &[inline.ident.to_string()]].concat(), content);
                    }
                }
                _ => {
                    if let Item::Macro(item) = item {
                        identifiers(item.mac.tokens.clone(), &mut module.generated);
                    }
                    if let Some(name) = name_of(item) {
                        module.names.insert(name, Binding::Item);
                    }
                }
            }
        }
        self.modules.insert(path, module);
    }

    /// The file of a module, where there is one.
    pub(super) fn file_of(&self, module: &[String]) -> Option<usize> {
        self.modules.get(module).map(|module| module.file)
    }

    /// Names may come into this module without being written there.
    pub(super) fn has_globs(&self, module: &[String]) -> bool {
        self.modules.get(module).is_some_and(|module| !module.globs.is_empty())
    }

    /// What `path` names in the module `from`.
    pub(super) fn resolve(&self, from: &[String], path: &[String]) -> Resolution {
        self.resolve_within(from, path, REEXPORTS)
    }

    fn resolve_within(&self, from: &[String], path: &[String], depth: usize) -> Resolution {
        let Some(first) = path.first() else { return Resolution::Unknown };
        if depth == 0 {
            return Resolution::Unknown;
        }
        let of_binary = from.first().is_some_and(|first| first.starts_with("bin:"));
        match first.as_str() {
            "crate" if !of_binary => self.walk(Vec::new(), &path[1..], depth),
            CRATE if of_binary => self.walk(Vec::new(), &path[1..], depth),
            "crate" => Resolution::Foreign,
            "self" => self.walk(from.to_vec(), &path[1..], depth),
            "super" => match from.split_last() {
                Some((_, parent)) if path.len() == 1 => Resolution::Module(parent.to_vec()),
                Some((_, parent)) if path[1] == "super" => self.resolve_within(parent, &path[1..], depth - 1),
                Some((_, parent)) => self.walk(parent.to_vec(), &path[1..], depth),
                None => Resolution::Unknown,
            },
            // A name that the module does not have is one of another crate, or of the function.
            _ if self.has(from, first) => self.walk(from.to_vec(), path, depth),
            _ if self.has_globs(from) => match self.walk(from.to_vec(), path, depth) {
                Resolution::Unknown => Resolution::Foreign,
                found => found,
            },
            _ => Resolution::Foreign,
        }
    }

    fn has(&self, module: &[String], name: &str) -> bool {
        let child = [module, &[name.to_owned()]].concat();
        // Of what macros define only types go by their bare name; a bare word in a macro is more often a crate.
        let is_type = name.starts_with(|first: char| first.is_ascii_uppercase());
        let is_here = |module: &Module| module.names.contains_key(name) || (is_type && module.generated.contains(name));
        self.modules.contains_key(&child) || self.modules.get(module).is_some_and(is_here)
    }

    fn walk(&self, mut at: Vec<String>, path: &[String], depth: usize) -> Resolution {
        for (index, name) in path.iter().enumerate() {
            let Some(module) = self.modules.get(&at) else { return Resolution::Unknown };
            let is_last = index + 1 == path.len();
            let child = [at.as_slice(), std::slice::from_ref(name)].concat();
            let binding = module.names.get(name);
            if self.modules.contains_key(&child) && (!is_last || binding.is_none()) {
                at = child;
                continue;
            }
            let found = match binding {
                Some(Binding::Item) => Resolution::Item(module.file),
                Some(Binding::Import(import)) => self.resolve_within(&at, import, depth - 1),
                None if module.generated.contains(name) => Resolution::Item(module.file),
                None => self.through_globs(&at, module, name, depth),
            };
            match found {
                Resolution::Module(next) => at = next,
                found => return found,
            }
        }
        Resolution::Module(at)
    }

    fn through_globs(&self, at: &[String], module: &Module, name: &str, depth: usize) -> Resolution {
        for glob in &module.globs {
            if let Resolution::Module(source) = self.resolve_within(at, glob, depth - 1)
                && source != at
                && let found @ (Resolution::Item(_) | Resolution::Module(_)) = self.walk(source, &[name.to_owned()], depth - 1)
            {
                return found;
            }
        }
        Resolution::Unknown
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn identifiers(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => drop(found.insert(name.to_string())),
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[test]
fn paths_lead_to_the_file_that_defines() {
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a/mod.rs", "mod deep;\npub use deep::{Deep as Shown, inner};\npub use crate::b::*;\n"),
        ("src/a/deep.rs", "pub struct Deep;\npub mod inner { pub fn f() {} }\nids! { Made }\n"),
        ("src/b.rs", "pub enum Other { One }\nuse super::a::Shown as Renamed;\n"),
    ]);
    let map = ModuleMap::of(&files);
    let resolve = |from: &str, path: &str| {
        let words = |text: &str| text.split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        map.resolve(&words(from), &words(path))
    };
    let file = |path: &str| Resolution::Item(files.iter().position(|file| file.path == path).expect("there"));
    assert_eq!(resolve("b", "crate::a::Shown"), file("src/a/deep.rs"));
    assert_eq!(resolve("b", "Renamed::new"), file("src/a/deep.rs"));
    assert_eq!(resolve("a::deep::inner", "super::super::super::b::Other::One"), file("src/b.rs"));
    assert_eq!(resolve("b", "super::a::inner::f"), file("src/a/deep.rs"));
    assert_eq!(resolve("b", "crate::a::Other"), file("src/b.rs"));
    assert_eq!(resolve("a", "deep::Made"), file("src/a/deep.rs"));
    assert_eq!(resolve("a", "self::deep"), Resolution::Module(vec!["a".to_owned(), "deep".to_owned()]));
    assert_eq!(resolve("a", "std::mem::take"), Resolution::Foreign);
    assert_eq!(resolve("a", "crate::b::Missing"), Resolution::Unknown);
}
