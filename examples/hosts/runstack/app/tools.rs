//! The MCP server with its four tools. The guard has judged each call before it arrives here, so no tool asks about keys.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenantkit::tenant::TenantScope;

/// Tools of other products that Runstack can run.
const CATALOGUE: [(&str, &str); 3] =
    [("github_create_issue", "github"), ("gmail_send", "gmail"), ("slack_post", "slack")];

/// The MCP server.
#[derive(Clone, Default)]
pub struct Runstack {
    /// Which user is connected to which product.
    connections: Arc<Mutex<HashSet<String>>>,
}

impl ServerHandler for Runstack {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = [
            ("search_tools", "Find tools by a word. Free.", "query"),
            ("check_authentication", "Is a product connected? Free.", "product"),
            ("initiate_connection", "Connect a product. Free.", "product"),
            ("execute_tool", "Run a tool. Counts one execution.", "tool"),
        ];
        let tools = tools.map(|(name, text, argument)| Tool::new(name, text, Arc::new(schema(argument))));
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<axum::http::request::Parts>();
        let Some(scope) = parts.and_then(|parts| parts.extensions.get::<TenantScope>()) else {
            return Err(ErrorData::internal_error("no guard stands before this server", None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let argument = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let result = match &*request.name {
            "search_tools" => search(argument("query")),
            "check_authentication" => json!({"connected": self.is_connected(scope, argument("product"))}),
            "initiate_connection" => self.connect(scope, argument("product")),
            "execute_tool" => return Ok(self.execute(scope, argument("tool")).into()),
            _ => return Err(ErrorData::invalid_params("unknown tool", None)),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(result.to_string())]).into())
    }
}

impl Runstack {
    fn is_connected(&self, scope: &TenantScope, product: &str) -> bool {
        self.connections().contains(&scope.storage_key("connections", product))
    }

    fn connect(&self, scope: &TenantScope, product: &str) -> Value {
        // The key names the whole tenant, so nobody finds another's connection under it.
        self.connections().insert(scope.storage_key("connections", product));
        json!({"connected": true})
    }

    fn execute(&self, scope: &TenantScope, tool: &str) -> CallToolResult {
        let text = match CATALOGUE.iter().find(|(name, _)| *name == tool) {
            Some((_, product)) if self.is_connected(scope, product) => format!("{tool} has run"),
            Some((_, product)) => return failed(format!("connect {product} first: initiate_connection")),
            None => return failed("no such tool; search_tools lists them".to_owned()),
        };
        CallToolResult::success(vec![ContentBlock::text(text)])
    }

    fn connections(&self) -> MutexGuard<'_, HashSet<String>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn search(query: &str) -> Value {
    CATALOGUE.iter().map(|(name, _)| *name).filter(|name| name.contains(query)).collect()
}

fn failed(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// A tool with one argument, a text.
fn schema(argument: &str) -> JsonObject {
    let schema = json!({
        "type": "object",
        "properties": {argument: {"type": "string"}},
        "required": [argument],
    });
    schema.as_object().cloned().unwrap_or_default()
}
