//! The bounds that a derive adds to a generic type.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{Field, Generics, Ident, Token, Type, TypePath, parse_quote};

/// The usual rule of derives: every type parameter implements `bound`, and so does every associated
/// type of one (`T::Item`) that a field holds.
pub(crate) fn bounded(generics: &Generics, fields: &[&Field], bound: &TokenStream) -> Generics {
    let parameters = generics.type_params().map(|parameter| &parameter.ident).collect();
    let mut projections = Projections { parameters, found: Vec::new() };
    for field in fields {
        projections.visit_type(&field.ty);
    }
    let found = projections.found;
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.colon_token.get_or_insert_with(<Token![:]>::default);
        parameter.bounds.push(parse_quote!(#bound));
    }
    if !found.is_empty() {
        let predicates = &mut generics.make_where_clause().predicates;
        predicates.extend(found.into_iter().map(|ty| -> syn::WherePredicate { parse_quote!(#ty: #bound) }));
    }
    generics
}

/// Collects the associated types of type parameters.
struct Projections<'g> {
    parameters: BTreeSet<&'g Ident>,
    found: Vec<Type>,
}

impl Visit<'_> for Projections<'_> {
    fn visit_type_path(&mut self, path: &TypePath) {
        let mut owner = path;
        while let Some(Type::Path(inner)) = owner.qself.as_ref().map(|qself| &*qself.ty) {
            owner = inner;
        }
        let first = owner.path.segments.first().map(|segment| &segment.ident);
        let projects = path.qself.is_some() || path.path.segments.len() > 1;
        if projects && first.is_some_and(|first| self.parameters.contains(first)) {
            self.found.push(Type::Path(path.clone()));
        }
        visit::visit_type_path(self, path);
    }
}
