//! The rows of the definition.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{call, facts, here, optional, optional_text};
use crate::model::{
    Access, Argument, Exception, Exceptions, Function, Hint, Hints, Kind, Param, Policy, Rate,
    Rates, Target, Text,
};

/// `Tool { … }`, `Prompt { … }` and so on.
pub(super) fn entry(p: &TokenStream, at: usize, function: &Function) -> TokenStream {
    let rights: Vec<_> = facts::rights(at, function).collect();
    let handles = quote!(#p::vec![#(#rights),*]);
    let call = call::closure(p, at, function);
    match &function.kind {
        Kind::Tool(hints) => {
            let about = about(p, function, &handles);
            let input = input(p, function);
            let output = call::output(function);
            let hints = self::hints(p, hints);
            quote!(#p::Tool {
                about: #about,
                input: #input,
                output: <#output as #p::ToolOutput>::schema(),
                hints: #hints,
                call: #call,
            })
        }
        Kind::Prompt => {
            let about = about(p, function, &handles);
            let input = input(p, function);
            quote!(#p::Prompt { about: #about, input: #input, call: #call })
        }
        Kind::Resource { uri, mime } => {
            let about = about(p, function, &handles);
            let input = input(p, function);
            let (uri, mime) = (&uri.value, optional_text(mime.as_ref()));
            quote!(#p::Resource {
                about: #about,
                uri: #uri,
                mime_type: #mime,
                input: #input,
                call: #call,
            })
        }
        Kind::Completion { target, argument } => {
            let target = match target {
                Target::Prompt(Text { value, .. }) => quote!(#p::Target::Prompt(#value)),
                Target::Resource(Text { value, .. }) => quote!(#p::Target::Resource(#value)),
            };
            let argument = &argument.value;
            let exceptions = exceptions(p, &function.exceptions);
            quote!(#p::Completion {
                target: #target,
                argument: #argument,
                handles: #handles,
                exceptions: #exceptions,
                call: #call,
            })
        }
        Kind::Init => TokenStream::new(),
    }
}

fn about(p: &TokenStream, function: &Function, handles: &TokenStream) -> TokenStream {
    let name = &function.name.value;
    let title = optional_text(function.title.as_ref());
    let description = function
        .description
        .as_ref()
        .map_or("", |text| text.value.as_str());
    let policy = policy(p, &function.policy);
    let exceptions = exceptions(p, &function.exceptions);
    quote!(#p::About {
        name: #name,
        title: #title,
        description: #description,
        policy: #policy,
        exceptions: #exceptions,
        handles: #handles,
    })
}

/// What a reviewer allowed, for the manifest.
pub(super) fn exceptions(p: &TokenStream, exceptions: &Exceptions) -> TokenStream {
    let rows = exceptions.0.iter().map(|exception| {
        let Exception {
            rule,
            reason,
            until,
            spent,
            ..
        } = exception;
        let reason = &reason.value;
        quote!(#p::TextException { rule: #rule, reason: #reason, until: #until, spent: #spent })
    });
    quote!(&[#(#rows),*])
}

fn policy(p: &TokenStream, policy: &Policy) -> TokenStream {
    let access = match &policy.access {
        Some(Access::Public) => quote!(#p::Access::Public),
        // Without an answer there was an error; nobody is the safe reading of it.
        None => quote!(#p::Access::Scopes(&[""])),
        Some(Access::Scopes(scopes)) => {
            let scopes = scopes.iter().map(|scope| &scope.value);
            quote!(#p::Access::Scopes(&[#(#scopes),*]))
        }
    };
    let timeout = optional(policy.timeout.map(|timeout| {
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        quote!(#p::Duration::from_millis(#millis))
    }));
    let number = |number: Option<u64>| optional(number.map(proc_macro2::Literal::u64_unsuffixed));
    let (concurrency, max_output) = (number(policy.concurrency), number(policy.max_output));
    let hidden = policy.hidden;
    let unapproved = optional_text(policy.unapproved.as_ref().map(|reason| &reason.why));
    let allow_flow = optional_text(policy.allow_flow.as_ref().map(|reason| &reason.why));
    let rates = rates(p, &policy.rates);
    quote!(#p::Policy {
        access: #access,
        timeout: #timeout,
        concurrency: #concurrency,
        max_output: #max_output,
        hidden: #hidden,
        unapproved: #unapproved,
        allow_flow: #allow_flow,
        rates: #rates,
    })
}

fn rates(p: &TokenStream, rates: &Rates) -> TokenStream {
    let shown = |rate: &Option<Rate>| {
        optional(rate.as_ref().map(|rate| {
            let millis = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX);
            let (count, burst) = (rate.count, rate.burst);
            quote!(#p::Rate::new(#count, #p::Duration::from_millis(#millis)).burst(#burst))
        }))
    };
    let (rate, total_rate) = (shown(&rates.rate), shown(&rates.total_rate));
    let (cost, repeat) = (optional(rates.cost), optional(rates.repeat));
    let (quota, output_quota) = (optional(rates.quota), optional(rates.output_quota));
    quote!(#p::Rates {
        rate: #rate,
        total_rate: #total_rate,
        cost: #cost,
        quota: #quota,
        output_quota: #output_quota,
        repeat: #repeat,
    })
}

fn hints(p: &TokenStream, hints: &Hints) -> TokenStream {
    let value = |hint: &Option<Hint>| optional(hint.as_ref().map(|hint| hint.value));
    let (idempotent, read_only) = (value(&hints.idempotent), value(&hints.read_only));
    let (destructive, open_world) = (value(&hints.destructive), value(&hints.open_world));
    quote!(#p::Hints {
        idempotent: #idempotent,
        read_only: #read_only,
        destructive: #destructive,
        open_world: #open_world,
    })
}

fn input(p: &TokenStream, function: &Function) -> TokenStream {
    let mut input = quote!(#p::InputBuilder::new());
    for param in &function.params {
        match param {
            Param::Whole { inner, .. } => {
                return quote_spanned!(here(inner.span())=> #p::InputBuilder::whole::<#inner>());
            }
            Param::Argument(argument) => {
                let (ty, name, rules) = (&argument.ty, argument.name(), rules(p, argument));
                let call = quote_spanned!(here(ty.span())=> .arg::<#ty>(#name, #rules));
                input = quote!(#input #call);
                if argument.rules.audit.is_some() {
                    let call = quote_spanned!(here(ty.span())=> .audited::<#ty>(#name));
                    input = quote!(#input #call);
                }
            }
            Param::Handle(_) => {}
        }
    }
    quote!(#input.finish())
}

fn rules(p: &TokenStream, argument: &Argument) -> TokenStream {
    let rules = &argument.rules;
    let description = optional_text(argument.description.as_ref());
    let (pattern, header) = (
        optional_text(rules.pattern.as_ref()),
        optional_text(rules.header.as_ref()),
    );
    let (max_len, min_len) = (optional(rules.max_len), optional(rules.min_len));
    let max_items = optional(rules.max_items);
    let (minimum, maximum) = (optional(rules.minimum), optional(rules.maximum));
    if argument.rules.given.is_empty() && argument.description.is_none() {
        return quote!(<#p::ArgRules as ::core::default::Default>::default());
    }
    quote!(#p::ArgRules {
        description: #description,
        max_len: #max_len,
        min_len: #min_len,
        max_items: #max_items,
        minimum: #minimum,
        maximum: #maximum,
        pattern: #pattern,
        header: #header,
    })
}
