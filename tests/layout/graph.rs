//! The graph of files: who names what is defined where, read from `use` trees and from every path in product code.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::modules::{ModuleMap, Resolution, imports};
use super::source::SourceFile;

/// A file that names what another one defines.
pub(super) struct Edge {
    /// Index of the file that names it.
    pub(super) from: usize,
    /// Index of the file that defines it.
    pub(super) to: usize,
    /// Where it is named first.
    pub(super) line: usize,
    /// As it is written there.
    pub(super) path: String,
    /// A module was named, and nothing in it.
    pub(super) is_module: bool,
    /// A module file makes public what stands below it.
    pub(super) is_map: bool,
}

/// A path in product code, with the place where it stands.
pub(super) struct NamedPath {
    /// Index of the file.
    pub(super) file: usize,
    /// Its line.
    pub(super) line: usize,
    /// As it is written, or as a `use` tree puts it together.
    pub(super) path: Vec<String>,
    /// What it names.
    pub(super) resolution: Resolution,
    is_reexport: bool,
}

/// The paths of product code, and what they make of it.
pub(super) struct Graph<'a> {
    /// The nodes.
    pub(super) files: &'a [SourceFile],
    /// Every path.
    pub(super) paths: Vec<NamedPath>,
    /// What leads from one file to another one; once for each pair and kind.
    pub(super) edges: Vec<Edge>,
}

impl<'a> Graph<'a> {
    pub(super) fn of(files: &'a [SourceFile]) -> Self {
        let modules = ModuleMap::of(files);
        let mut paths = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let mut reader = PathReader { modules: &modules, file: index, module: file.module.clone(), paths: &mut paths };
            file.product.iter().for_each(|item| reader.visit_item(item));
        }
        let edges = edges(files, &modules, &paths);
        Self { files, paths, edges }
    }

    /// `src/a.rs:7`, to be clicked on.
    pub(super) fn place(&self, file: usize, line: usize) -> String {
        format!("{}:{line}", self.files[file].path)
    }

    /// Edges by which one file depends on another one: a map that declares and re-exports depends on nothing.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| !edge.is_module && !edge.is_map)
    }
}

fn edges(files: &[SourceFile], modules: &ModuleMap, paths: &[NamedPath]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for named in paths {
        let (to, is_module) = match &named.resolution {
            Resolution::Item(file) => (*file, false),
            Resolution::Module(module) => match modules.file_of(module) {
                Some(file) => (file, true),
                None => continue,
            },
            Resolution::Foreign | Resolution::Unknown => continue,
        };
        let from = named.file;
        let is_map = named.is_reexport && files[to].module.starts_with(&files[from].module);
        if to != from && seen.insert((from, to, is_module, is_map)) {
            edges.push(Edge { from, to, line: named.line, path: named.path.join("::"), is_module, is_map });
        }
    }
    edges
}

/// Collects the paths of a file.
struct PathReader<'a> {
    modules: &'a ModuleMap,
    file: usize,
    module: Vec<String>,
    paths: &'a mut Vec<NamedPath>,
}

impl PathReader<'_> {
    fn name(&mut self, path: Vec<String>, span: Span, is_reexport: bool) {
        // A single name stands for what a `use` or the module itself has, unless a glob brings it.
        if path.first().is_none_or(|first| first == "Self") || (path.len() == 1 && !self.modules.has_globs(&self.module)) {
            return;
        }
        self.add(path, span.start().line, is_reexport);
    }

    fn add(&mut self, path: Vec<String>, line: usize, is_reexport: bool) {
        let resolution = self.modules.resolve(&self.module, &path);
        self.paths.push(NamedPath { file: self.file, line, path, resolution, is_reexport });
    }

    /// Paths in the tokens of a macro: names with `::` between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) if group.delimiter() != Delimiter::None || !group.stream().is_empty() => {
                    self.tokens(group.stream());
                }
                TokenTree::Ident(first) => {
                    let (span, mut path) = (first.span(), vec![first.to_string()]);
                    while is_colon(tokens.get(at + 1)) && is_colon(tokens.get(at + 2)) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if path.len() > 1 {
                        self.name(path, span, false);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for PathReader<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for import in imports(item) {
            self.add(import.path, import.line, import.is_reexport);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if path.leading_colon.is_none() {
            self.name(words, path.span(), false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        visit::visit_macro(self, invocation);
        self.tokens(invocation.tokens.clone());
    }

    // `pub(super)` names no dependency, and an attribute neither.
    fn visit_visibility(&mut self, _visibility: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _attribute: &'ast syn::Attribute) {}
}

#[test]
fn edges_come_from_uses_paths_and_macros() {
    let files = super::source::synthetic_tree(&[
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        (
            "src/a.rs",
            "use crate::{b::{self, B}, d};\nfn f() { vec![super::c::C]; b::g(); d::D; }\n#[cfg(test)]\nuse crate::e::E;\n",
        ),
        ("src/b.rs", "pub struct B;\npub(in crate::c) fn g() {}\n"),
        ("src/c.rs", "pub struct C;\n"),
        ("src/d/mod.rs", "mod deep;\npub use deep::D;\n"),
        ("src/d/deep.rs", "pub struct D;\n"),
    ]);
    let graph = Graph::of(&files);
    let found: Vec<String> =
        graph.dependencies().map(|edge| format!("{} > {}", graph.place(edge.from, edge.line), files[edge.to].path)).collect();
    assert_eq!(found, ["src/a.rs:1 > src/b.rs", "src/a.rs:2 > src/c.rs", "src/a.rs:2 > src/d/deep.rs"]);
}

#[test]
fn every_use_of_the_crate_is_resolved() {
    let files = super::source::product_tree();
    let graph = Graph::of(&files);
    let unknown = graph.paths.iter().filter(|named| named.resolution == Resolution::Unknown);
    let wrong: Vec<String> =
        unknown.map(|named| format!("{}: `{}`", graph.place(named.file, named.line), named.path.join("::"))).collect();
    assert!(
        wrong.is_empty(),
        "the layout test finds no file that defines these, so it cannot check them; teach `tests/layout/modules.rs` the form:\n{}",
        wrong.join("\n")
    );
}
