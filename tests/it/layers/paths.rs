//! The paths that a file names: in `use`, in code, inside macros and in the texts of attributes.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, ImplItemFn, Item, ItemMod, ItemUse, Macro, Path, Visibility,
    visit::{self, Visit},
};

use super::sources::{File, Leaf, ModulePath, attributes, is_test, leaves};

/// A path that a file names.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// The module that it stands in, which may be a block of the file.
    pub(crate) module: ModulePath,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// The name that a `pub use` gives to it.
    pub(crate) reexported: Option<String>,
    /// The method that is called, where this is none of a path but of what stands before the dot.
    pub(crate) method: Option<String>,
}

/// What a file names.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    pub(crate) named: Vec<Named>,
    /// First words of the paths in code: whether a re-exported name is used here as well.
    pub(crate) words: BTreeSet<String>,
    module: ModulePath,
}

impl Paths {
    pub(crate) fn of(file: &File) -> Self {
        let mut paths = Self { module: file.module.clone(), ..Self::default() };
        file.items.iter().for_each(|item| paths.visit_item(item));
        paths
    }

    fn push(&mut self, path: Vec<String>, line: usize) {
        self.words.extend(path.first().cloned());
        self.name(path, line, None);
    }

    fn name(&mut self, path: Vec<String>, line: usize, reexported: Option<String>) {
        let module = self.module.clone();
        self.named.push(Named { module, path, line, reexported, method: None });
    }

    /// Paths among the tokens of a macro, `a::{b, c::d}` included.
    fn tokens(&mut self, before: &[String], tokens: TokenStream) {
        let mut path: Vec<String> = before.to_vec();
        let mut line = 0;
        // Colons since the last word.
        let mut colons = if before.is_empty() { 0 } else { 2 };
        let end = |paths: &mut Self, path: &mut Vec<String>, line| {
            if path.len() > before.len() {
                paths.push(std::mem::take(path), line);
            }
            *path = before.to_vec();
        };
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 || (path.len() == before.len() && before.is_empty()) {
                        end(self, &mut path, line);
                    }
                    line = word.span().start().line;
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group)
                    if colons == 2 && group.delimiter() == Delimiter::Brace && !path.is_empty() =>
                {
                    self.tokens(&path, group.stream());
                    path = before.to_vec();
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    end(self, &mut path, line);
                    self.tokens(&[], group.stream());
                    colons = 0;
                }
                TokenTree::Punct(punct) => {
                    end(self, &mut path, line);
                    let between = punct.as_char() == ',' && !before.is_empty();
                    colons = if between { 2 } else { 0 };
                }
                TokenTree::Literal(_) => {
                    end(self, &mut path, line);
                    colons = 0;
                }
            }
        }
        end(self, &mut path, line);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let Some((_, items)) = &item.content else { return };
        self.module.push(item.ident.to_string());
        items.iter().for_each(|item| self.visit_item(item));
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let line = item.use_token.span.start().line;
        for Leaf { path, name } in leaves(&item.tree) {
            let shown = !matches!(item.vis, Visibility::Inherited);
            self.name(path, line, name.filter(|_| shown));
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let words = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.push(words, line);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let on = match &*call.receiver {
            syn::Expr::Path(on) => on.path.segments.last().map(|last| last.ident.to_string()),
            syn::Expr::Field(on) => match &on.member {
                syn::Member::Named(name) => Some(name.to_string()),
                syn::Member::Unnamed(_) => None,
            },
            _ => None,
        };
        self.named.push(Named {
            module: self.module.clone(),
            path: on.into_iter().collect(),
            line: call.method.span().start().line,
            reexported: None,
            method: Some(call.method.to_string()),
        });
        visit::visit_expr_method_call(self, call);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // `pub(super)` depends on nothing.
    }

    fn visit_macro(&mut self, of: &'ast Macro) {
        self.visit_path(&of.path);
        self.tokens(&[], of.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // `#[serde(with = "crate::…")]` names a module in a text.
        let syn::Meta::List(list) = &attribute.meta else { return };
        for token in list.tokens.clone() {
            let TokenTree::Literal(text) = token else { continue };
            let text = text.to_string();
            let text = text.trim_matches('"');
            if ["crate::", "super::", "self::"].iter().any(|root| text.starts_with(root)) {
                let path = text.split("::").map(str::to_owned).collect();
                self.push(path, attribute.pound_token.spans[0].start().line);
            }
        }
    }
}
