//! The MCP server: system tools, which are free, and the tools of providers. The guard has judged each call before it
//! arrives here.

use super::providers::{self, PROVIDERS, TOOLS, Upstream};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenantkit::http::mcp::answer::tool_code_result;
use tenantkit::http::tower::RequestId;
use tenantkit::tenant::TenantScope;
use tenantkit::{Authority, Code};

const SYSTEM_TOOLS: [(&str, &str); 7] = [
    ("list_connections", "Which providers are connected."),
    ("list_providers", "Which providers there are."),
    ("connect_provider", "Connect a provider."),
    ("describe_category", "What the tools of a provider do."),
    ("disconnect_provider", "Disconnect a provider."),
    ("get_usage", "How much was used."),
    ("report_issue", "Tell us what does not work."),
];

/// The server. Connections belong to one account, org and user: the same user id elsewhere is somebody else.
#[derive(Clone)]
pub struct AllMcp {
    authority: Authority,
    upstream: Upstream,
    /// The tenant's namespace and the provider.
    connections: Arc<Mutex<BTreeSet<(String, &'static str)>>>,
}

impl AllMcp {
    pub fn new(authority: Authority, upstream: Upstream) -> Self {
        Self { authority, upstream, connections: Arc::default() }
    }

    fn system_tool(&self, scope: &TenantScope, tool: &str, argument: &str) -> Option<Value> {
        let provider = PROVIDERS.into_iter().find(|provider| *provider == argument);
        Some(match (tool, provider) {
            ("list_connections", _) => json!({"connections": self.connected(scope)}),
            ("list_providers", _) => json!({"providers": PROVIDERS}),
            ("connect_provider", Some(provider)) => {
                json!({"new": self.connections().insert((scope.namespace(), provider))})
            }
            ("disconnect_provider", Some(provider)) => {
                json!({"ended": self.connections().remove(&(scope.namespace(), provider))})
            }
            ("describe_category", Some(provider)) => {
                let tools = TOOLS.into_iter().filter(|(name, _)| providers::of_tool(name) == Some(provider));
                json!({"tools": tools.map(|(name, text)| json!({"name": name, "text": text})).collect::<Vec<_>>()})
            }
            ("report_issue", _) => json!({"reported": true}),
            ("connect_provider" | "disconnect_provider" | "describe_category", None) => {
                json!({"error": "no such provider; list_providers names them"})
            }
            _ => return None,
        })
    }

    fn provider_tool(
        &self,
        scope: &TenantScope,
        tool: &str,
        arguments: &Value,
        id: Option<&str>,
    ) -> CallToolResult {
        let Some(provider) = providers::of_tool(tool) else { return failed("there is no such tool") };
        if !self.connections().contains(&(scope.namespace(), provider)) {
            return failed("this provider is not connected; connect_provider connects it");
        }
        match (self.upstream)(tool, arguments) {
            Ok(answer) => CallToolResult::success(vec![ContentBlock::text(answer.to_string())]),
            // The provider's own limit, passed on as it is: none of ours.
            Err(limited) => {
                let policy = self.authority.policy();
                let refusal = tool_code_result(&policy, Code::ProviderRateLimited, limited.retry_after_s, id);
                serde_json::from_value(refusal).unwrap_or_else(|_| failed("the provider asks to wait"))
            }
        }
    }

    fn connected(&self, scope: &TenantScope) -> Vec<&'static str> {
        let namespace = scope.namespace();
        let connections = self.connections();
        connections.iter().filter(|(owner, _)| *owner == namespace).map(|(_, provider)| *provider).collect()
    }

    fn connections(&self) -> MutexGuard<'_, BTreeSet<(String, &'static str)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerHandler for AllMcp {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object", "properties": {"provider": {"type": "string"}}});
        let schema: Arc<JsonObject> = Arc::new(schema.as_object().cloned().unwrap_or_default());
        let tools = SYSTEM_TOOLS.into_iter().chain(TOOLS);
        let tools = tools.map(|(name, text)| Tool::new(name, text, Arc::clone(&schema))).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<axum::http::request::Parts>();
        let extensions = parts.map(|parts| &parts.extensions);
        let Some(scope) = extensions.and_then(|extensions| extensions.get::<TenantScope>()) else {
            return Err(ErrorData::internal_error("no guard stands before this server", None));
        };
        let request_id =
            extensions.and_then(|extensions| extensions.get::<RequestId>()).map(RequestId::as_str);
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let provider = arguments.get("provider").and_then(Value::as_str).unwrap_or_default();
        let result = match self.system_tool(scope, &request.name, provider) {
            Some(answer) => CallToolResult::success(vec![ContentBlock::text(answer.to_string())]),
            None => self.provider_tool(scope, &request.name, &arguments, request_id),
        };
        Ok(result.into())
    }
}

fn failed(text: &'static str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}
