//! From the definition to the compiled form, and from there to the effective one.

use std::time::Duration;

use super::{
    Access, Allowance, Annotations, Approval, Argument, BoundGrant, CallLimits, Capability,
    CompletionRow, Effective, EffectiveGrant, Effects, Entry, Exception, FORMAT, HandleRow,
    Manifest, RateRow, Server, ServerLimits, Source, Text, canonical::digest_of,
};
use crate::{
    Limits,
    capability::{Facts, Grant},
    definition::{self, About, Definition, Policy, Target},
    pipeline,
    schema::Input,
};

impl Manifest {
    /// The ceilings: what the signatures and the builder allow.
    #[doc(hidden)]
    pub fn compiled<S>(
        definition: &Definition<S>,
        grants: &[Grant],
        limits: &Limits,
        transports: &[&str],
    ) -> Self {
        let limits = ServerLimits::of(limits);
        let mut manifest = Self {
            format: FORMAT,
            server: Server {
                name: definition.name.to_owned(),
                version: definition.version.to_owned(),
                instructions: definition.instructions.map(Text::new),
                exceptions: exceptions(definition.exceptions),
            },
            protocol_versions: pipeline::protocol_versions(),
            transports: sorted(transports.iter().copied()),
            capabilities: Vec::new(),
            init: Vec::new(),
            tools: definition
                .tools
                .iter()
                .map(|tool| Entry::of_tool(tool, &limits))
                .collect(),
            prompts: definition
                .prompts
                .iter()
                .map(|prompt| Entry::of(&prompt.about, &prompt.input, &limits))
                .collect(),
            resources: definition
                .resources
                .iter()
                .map(|resource| Entry {
                    uri: Some(resource.uri.to_owned()),
                    mime_type: resource.mime_type.map(str::to_owned),
                    ..Entry::of(&resource.about, &resource.input, &limits)
                })
                .collect(),
            completions: definition
                .completions
                .iter()
                .map(CompletionRow::of)
                .collect(),
            limits,
            sandbox: Vec::new(),
            callers: Vec::new(),
            policies: Vec::new(),
            store: Vec::new(),
            approvals: Vec::new(),
            effective: None,
        };
        manifest.capabilities = grants
            .iter()
            .map(|grant| manifest.capability(grant))
            .collect();
        manifest.tools.sort_by(|a, b| a.name.cmp(&b.name));
        manifest.prompts.sort_by(|a, b| a.name.cmp(&b.name));
        manifest
            .resources
            .sort_by(|a, b| (&a.uri, &a.name).cmp(&(&b.uri, &b.name)));
        manifest
            .completions
            .sort_by(|a, b| (&a.target, &a.argument).cmp(&(&b.target, &b.argument)));
        manifest.capabilities.sort_by(|a, b| a.name.cmp(&b.name));
        manifest
    }

    /// Adds the rights of `#[init]`, which are used once at start.
    #[doc(hidden)]
    #[must_use]
    pub fn with_init(mut self, handles: &[&[Facts]]) -> Self {
        self.init = rows(handles.iter().flat_map(|of_one| of_one.iter()));
        for capability in self.capabilities.iter_mut().filter(|c| c.kind == UNUSED) {
            if let Some(row) = self
                .init
                .iter()
                .find(|row| row.capability == capability.name)
            {
                capability.kind.clone_from(&row.kind);
            }
        }
        self
    }

    /// Adds what the code asks of the operating system beside its grants. Each of them widens
    /// what a hostile dependency reaches.
    #[cfg(feature = "sandbox")]
    #[must_use]
    pub(crate) fn with_sandbox(mut self, sandbox: &crate::sandbox::Sandbox) -> Self {
        self.sandbox = sandbox.terms();
        self.sandbox.sort();
        self
    }

    /// Adds whose word is taken for who calls.
    #[cfg(feature = "http")]
    #[must_use]
    pub(crate) fn with_callers(mut self, terms: Vec<String>) -> Self {
        self.callers = terms;
        self
    }

    /// Adds that policies must permit each call, too.
    #[must_use]
    pub(crate) fn with_policies(mut self, rows: impl IntoIterator<Item = String>) -> Self {
        self.policies.extend(rows);
        self
    }

    /// Adds what replicas share.
    #[must_use]
    pub(crate) fn with_store(mut self, terms: Vec<String>) -> Self {
        self.store = terms;
        self
    }

    /// Adds where the client's word is taken for a person's.
    #[must_use]
    pub(crate) fn with_approvals(mut self, terms: Vec<String>) -> Self {
        self.approvals = terms;
        self
    }

    /// What the operator made of it: bound paths and lowered limits, with the digest of the
    /// compiled form. It is the same manifest otherwise.
    #[must_use]
    pub fn effective(&self, grants: &[BoundGrant], limits: &Limits) -> Self {
        let mut manifest = self.clone();
        let compiled = match &self.effective {
            Some(already) => already.compiled.clone(),
            None => self.digest(),
        };
        let mut grants: Vec<EffectiveGrant> = grants
            .iter()
            .map(|grant| EffectiveGrant {
                name: grant.name.clone(),
                path: grant.value_display(),
                bound_by: grant.bound_by.to_string(),
            })
            .collect();
        grants.sort_by(|a, b| a.name.cmp(&b.name));
        manifest.limits = ServerLimits::of(limits);
        for entry in manifest
            .tools
            .iter_mut()
            .chain(&mut manifest.prompts)
            .chain(&mut manifest.resources)
        {
            entry.limits.narrow(&manifest.limits);
        }
        manifest.effective = Some(Effective {
            compiled,
            transport: None,
            grants,
            denied_tools: Vec::new(),
        });
        manifest
    }

    /// Takes tools away, on the effective form.
    #[must_use]
    pub fn denying(mut self, tools: &[String]) -> Self {
        if let Some(effective) = &mut self.effective {
            self.tools.retain(|tool| !tools.contains(&tool.name));
            effective.denied_tools = sorted(tools.iter().map(String::as_str));
        }
        self
    }

    /// Names the one transport that is served, on the effective form.
    #[must_use]
    pub fn serving(mut self, transport: &str) -> Self {
        if let Some(effective) = &mut self.effective {
            effective.transport = Some(transport.to_owned());
        }
        self
    }

    /// Tools, prompts and resources, each with its kind.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        let tools = self.tools.iter().map(|entry| ("tool", entry));
        let prompts = self.prompts.iter().map(|entry| ("prompt", entry));
        let resources = self.resources.iter().map(|entry| ("resource", entry));
        tools.chain(prompts).chain(resources)
    }

    fn handles(&self) -> impl Iterator<Item = &HandleRow> {
        let completions = self.completions.iter().flat_map(|row| &row.handles);
        self.entries()
            .flat_map(|(_, entry)| &entry.handles)
            .chain(completions)
    }

    fn capability(&self, grant: &Grant) -> Capability {
        let kind = self
            .handles()
            .find(|handle| handle.capability == grant.name)
            .map_or(UNUSED, |handle| handle.kind.as_str());
        let in_code = grant.source.in_code();
        Capability {
            name: grant.name.to_owned(),
            kind: kind.to_owned(),
            private: grant.private,
            doc: grant.doc.trim().to_owned(),
            source: match &in_code {
                None => Source::Operator,
                Some(_) => Source::Code,
            },
            // A folder of the host differs from machine to machine; what is reached beyond it
            // is the same everywhere, and a reviewer must read it.
            reaches: in_code.filter(|_| grant.source.kind() != "fs"),
            terms: grant.source.terms(),
            exceptions: exceptions(grant.exceptions),
        }
    }
}

impl ServerLimits {
    /// Without `..`: a new limit does not compile until it has its row here.
    pub(super) fn of(limits: &Limits) -> Self {
        let Limits {
            concurrency,
            queue,
            queue_wait,
            tool_concurrency,
            principal_concurrency,
            principal_per_minute,
            principal_burst,
            client_per_minute,
            client_burst,
            address_per_minute,
            repeats_per_minute,
            limit_keys,
            pending_approvals,
            approval_timeout,
            timeout,
            max_timeout,
            max_output,
            max_message,
            max_depth,
            page_size,
        } = *limits;
        Self {
            concurrency: number(concurrency),
            queue: number(queue),
            queue_wait_ms: millis(queue_wait),
            tool_concurrency: number(tool_concurrency),
            principal_concurrency: number(principal_concurrency),
            principal_per_minute: number(principal_per_minute),
            principal_burst: number(principal_burst),
            client_per_minute: number(client_per_minute),
            client_burst: number(client_burst),
            address_per_minute: address_per_minute.map(number),
            repeats_per_minute: number(repeats_per_minute),
            limit_keys: number(limit_keys),
            pending_approvals: number(pending_approvals),
            approval_timeout_ms: millis(approval_timeout),
            timeout_ms: millis(timeout),
            max_timeout_ms: millis(max_timeout),
            max_output: number(max_output),
            max_message: number(max_message),
            max_depth: number(max_depth),
            page_size: number(page_size),
        }
    }
}

impl Entry {
    fn of_tool<S>(tool: &definition::Tool<S>, limits: &ServerLimits) -> Self {
        let served = pipeline::annotations(&tool.about, &tool.hints);
        Self {
            output: tool.output.as_ref().map(digest_of),
            limits: CallLimits::of_tool(&tool.about.policy, limits),
            annotations: Some(Annotations::of(&served)),
            ..Self::of(&tool.about, &tool.input, limits)
        }
    }

    fn of(about: &About, input: &Input, limits: &ServerLimits) -> Self {
        let policy = &about.policy;
        let allowances = [
            ("unapproved", policy.unapproved),
            ("allow_flow", policy.allow_flow),
        ];
        Self {
            name: about.name.to_owned(),
            title: about.title.map(str::to_owned),
            description: Text::new(about.description),
            uri: None,
            mime_type: None,
            access: match policy.access {
                definition::Access::Public => Access::Public,
                definition::Access::Scopes(scopes) => {
                    Access::Scopes(sorted(scopes.iter().copied()))
                }
            },
            hidden: policy.hidden,
            arguments: input
                .arguments
                .iter()
                .map(|argument| Argument {
                    name: argument.name.clone(),
                    required: argument.required,
                    description: argument.description.clone(),
                })
                .collect(),
            input: digest_of(&input.schema),
            output: None,
            limits: CallLimits::of_other(limits),
            effects: Effects::of(about.facts()),
            handles: rows(about.facts()),
            approval: approval(about),
            allowances: allowances
                .into_iter()
                .filter_map(|(rule, reason)| {
                    Some(Allowance {
                        rule: rule.to_owned(),
                        reason: reason?.to_owned(),
                    })
                })
                .collect(),
            exceptions: exceptions(about.exceptions),
            annotations: None,
        }
    }
}

fn approval(about: &About) -> Approval {
    let unwitnessed = about
        .facts()
        .any(|facts| facts.needs_approval && !facts.approved);
    match (about.policy.unapproved, about.needs_approval()) {
        // A witness on one right does not cover another.
        (None, _) if unwitnessed => Approval::Missing,
        (_, true) => Approval::Required,
        (Some(reason), false) if unwitnessed => Approval::Waived(reason.to_owned()),
        (_, false) => Approval::NotNeeded,
    }
}

impl From<crate::Rate> for RateRow {
    fn from(rate: crate::Rate) -> Self {
        Self {
            count: rate.count().into(),
            period_ms: millis(rate.period()),
            burst: rate.most_at_once().into(),
        }
    }
}

impl RateRow {
    /// As it is counted.
    pub(crate) fn rate(&self) -> crate::Rate {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let period = std::time::Duration::from_millis(self.period_ms);
        crate::Rate::new(small(self.count), period).burst(small(self.burst))
    }
}

impl Policy {
    /// What the operator lowered, as the effective form has it.
    pub(crate) fn lower_to(&mut self, limits: &CallLimits) {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        self.timeout = Some(Duration::from_millis(limits.timeout_ms));
        self.concurrency = limits.concurrency.map(size);
        self.max_output = Some(size(limits.max_output));
        self.rates = definition::Rates {
            rate: limits.rate.as_ref().map(RateRow::rate),
            total_rate: limits.total_rate.as_ref().map(RateRow::rate),
            cost: limits.cost.map(small),
            quota: limits.quota,
            output_quota: limits.output_quota,
            repeat: limits.repeat.map(small),
        };
    }
}

impl CallLimits {
    /// As `pipeline/registry.rs` applies them to tools.
    fn of_tool(policy: &Policy, server: &ServerLimits) -> Self {
        let stated = [
            ("timeout", policy.timeout.is_some()),
            ("concurrency", policy.concurrency.is_some()),
            ("max_output", policy.max_output.is_some()),
        ];
        let mut limits = Self {
            timeout_ms: policy.timeout.map_or(server.timeout_ms, millis),
            concurrency: Some(policy.concurrency.map_or(server.tool_concurrency, number)),
            max_output: policy.max_output.map_or(server.max_output, number),
            rate: policy.rates.rate.map(Into::into),
            total_rate: policy.rates.total_rate.map(Into::into),
            cost: policy.rates.cost.map(u64::from),
            quota: policy.rates.quota,
            output_quota: policy.rates.output_quota,
            repeat: policy.rates.repeat.map(u64::from),
            stated: stated
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(name, _)| name.to_owned())
                .collect(),
        };
        limits.narrow(server);
        limits
    }

    /// Prompts and resources have the server's bounds.
    fn of_other(server: &ServerLimits) -> Self {
        Self {
            timeout_ms: server.timeout_ms,
            concurrency: None,
            max_output: server.max_output,
            rate: None,
            total_rate: None,
            cost: None,
            quota: None,
            output_quota: None,
            repeat: None,
            stated: Vec::new(),
        }
    }

    fn narrow(&mut self, server: &ServerLimits) {
        let states = |name: &str| self.stated.iter().any(|one| one == name);
        let (timeout, concurrency, output) = (
            states("timeout"),
            states("concurrency"),
            states("max_output"),
        );
        if !timeout {
            self.timeout_ms = server.timeout_ms;
        }
        self.timeout_ms = self.timeout_ms.min(server.max_timeout_ms);
        if let Some(permits) = &mut self.concurrency {
            if !concurrency {
                *permits = server.tool_concurrency;
            }
            *permits = (*permits).min(server.concurrency);
        }
        if !output {
            self.max_output = server.max_output;
        }
    }
}

impl Effects {
    fn of<'a>(facts: impl Iterator<Item = &'a Facts>) -> Self {
        facts.fold(Self::default(), |all, one| Self {
            writes: all.writes || one.writes,
            destructive: all.destructive || one.destructive,
            open_world: all.open_world || one.open_world,
            private: all.private || one.private,
            open_sink: all.open_sink || one.open_sink,
        })
    }
}

impl Annotations {
    pub(super) fn of(served: &rmcp::model::ToolAnnotations) -> Self {
        Self {
            read_only: served.read_only_hint,
            destructive: served.destructive_hint,
            idempotent: served.idempotent_hint,
            open_world: served.open_world_hint,
        }
    }
}

impl CompletionRow {
    fn of<S>(completion: &definition::Completion<S>) -> Self {
        let facts = || completion.handles.iter().flat_map(|of_one| of_one.iter());
        Self {
            target: target(&completion.target),
            argument: completion.argument.to_owned(),
            exceptions: exceptions(completion.exceptions),
            effects: Effects::of(facts()),
            handles: rows(facts()),
        }
    }

    pub(super) fn label(&self) -> String {
        format!("completion of `{}` for {}", self.argument, self.target)
    }
}

pub(super) fn target(target: &Target) -> String {
    match target {
        Target::Prompt(name) => format!("prompt {name}"),
        Target::Resource(uri) => format!("resource {uri}"),
    }
}

fn rows<'a>(facts: impl Iterator<Item = &'a Facts>) -> Vec<HandleRow> {
    let mut rows: Vec<HandleRow> = facts
        .map(|facts| HandleRow {
            kind: facts.kind.to_owned(),
            capability: facts.capability.to_owned(),
            access: facts.access.to_owned(),
            approved: facts.approved,
        })
        .collect();
    rows.sort();
    rows
}

/// Sorted, so that the order in the code means nothing.
fn exceptions(declared: &[definition::TextException]) -> Vec<Exception> {
    let mut rows: Vec<Exception> = declared
        .iter()
        .map(|exception| Exception {
            rule: exception.rule.to_owned(),
            reason: exception.reason.to_owned(),
            until: exception.until.to_owned(),
        })
        .collect();
    rows.sort();
    rows
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(EXACT).min(EXACT)
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(EXACT).min(EXACT)
}

/// The largest whole number that RFC 8785 writes exactly; "no limit" in practice.
const EXACT: u64 = (1 << 53) - 1;

/// The kind of a capability that no handle reaches.
pub(super) const UNUSED: &str = "unused";
