//! What is served equals what was compiled (invariant 8): a list that a layer of the user's
//! has changed on its way out is refused, not sent.

use std::sync::Arc;

use tower::Layer;

use super::{Enclosed, forward_ready};
use crate::pipeline::{McpReply, McpRequest, Refusal, Registry, ReplyFuture, VERSIONS};

#[derive(Clone)]
pub(crate) struct GenuineLayer(Arc<Registry>);

impl GenuineLayer {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self(registry)
    }
}

impl<S> Layer<S> for GenuineLayer {
    type Service = GenuineService<S>;

    fn layer(&self, inner: S) -> GenuineService<S> {
        GenuineService {
            inner,
            registry: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct GenuineService<S> {
    inner: S,
    registry: Arc<Registry>,
}

impl<S: Enclosed<McpRequest>> tower::Service<McpRequest> for GenuineService<S> {
    forward_ready!();

    fn call(&mut self, request: McpRequest) -> ReplyFuture {
        let registry = Arc::clone(&self.registry);
        let future = self.inner.call(request);
        Box::pin(async move {
            let reply = future.await?;
            if is_genuine(&registry, &reply) {
                Ok(reply)
            } else {
                Err(Refusal::failed(
                    "genuine/definition",
                    "a served definition differs from the compiled one",
                )
                .boxed())
            }
        })
    }
}

fn is_genuine(registry: &Registry, reply: &McpReply) -> bool {
    use crate::pipeline::ResourceKind;
    match reply {
        McpReply::ListTools(list) => list.tools.iter().all(|served| {
            registry
                .tool(&served.name)
                .is_some_and(|(_, entry)| entry.model == *served)
        }),
        McpReply::ListPrompts(list) => list.prompts.iter().all(|served| {
            registry
                .prompt(&served.name)
                .is_some_and(|(_, entry)| entry.model == *served)
        }),
        McpReply::ListResources(list) => list.resources.iter().all(|served| {
            registry
                .resources
                .iter()
                .any(|entry| matches!(&entry.kind, ResourceKind::One(model) if model == served))
        }),
        McpReply::ListResourceTemplates(list) => list.resource_templates.iter().all(|served| {
            registry.resources.iter().any(
                |entry| matches!(&entry.kind, ResourceKind::Template(model, _) if model == served),
            )
        }),
        McpReply::Initialize(info) => {
            info.instructions == registry.info.instructions
                && info.server_info == registry.info.server_info
                && info.capabilities == registry.info.capabilities
                && info.meta.is_none()
        }
        McpReply::Discover(info) => {
            info.instructions == registry.info.instructions
                && info.capabilities == registry.info.capabilities
                && info.supported_versions == VERSIONS
                && info.meta == registry.discovered_meta()
        }
        _ => true,
    }
}
