//! What a host tells the engine about one request.

use std::net::IpAddr;

/// One request to judge: a credential, the tenant parameters as they came, and the operation. Borrows everything.
///
/// ```
/// # use tenantkit::Request;
/// let request = Request::new("flows.list").key("rt_live_…").org_id("org_1");
/// ```
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    pub(crate) operation: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    pub(crate) query: Option<&'a str>,
    pub(crate) org_id: Option<&'a str>,
    pub(crate) user_id: Option<&'a str>,
    pub(crate) cost: Option<u64>,
    pub(crate) resource: Option<&'a str>,
    pub(crate) environment: Option<&'a str>,
    pub(crate) origin: Option<&'a str>,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) operation_id: Option<&'a str>,
    pub(crate) dimensions: &'a [(&'a str, &'a str)],
}

impl<'a> Request<'a> {
    /// A request for an operation of the policy, without a credential yet.
    #[must_use]
    pub fn new(operation: &'a str) -> Self {
        Self { operation, ..Self::default() }
    }

    /// The key itself, already taken out of its carrier. Not together with [`headers`](Self::headers).
    #[must_use]
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    /// All header lines, as sent: the engine finds the carriers, the tenant headers and the origin in them. At most 64
    /// lines of at most 8 KiB each are accepted.
    #[must_use]
    pub fn headers(mut self, headers: &'a [(&'a str, &'a [u8])]) -> Self {
        self.headers = headers;
        self
    }

    /// The raw query string, without `?`: the engine decodes the tenant parameters that the policy declares.
    #[must_use]
    pub fn query(mut self, query: &'a str) -> Self {
        self.query = Some(query);
        self
    }

    /// The org from the request's path, already decoded.
    #[must_use]
    pub fn org_id(mut self, org_id: &'a str) -> Self {
        self.org_id = Some(org_id);
        self
    }

    /// The user from the request's path, already decoded.
    #[must_use]
    pub fn user_id(mut self, user_id: &'a str) -> Self {
        self.user_id = Some(user_id);
        self
    }

    /// Units of the operation's variable meter, 0 to 2^53 - 1, in place of the operation's own.
    #[must_use]
    pub fn cost(mut self, units: u64) -> Self {
        self.cost = Some(units);
        self
    }

    /// The resource that is acted on, as `type:id`.
    #[must_use]
    pub fn resource(mut self, resource: &'a str) -> Self {
        self.resource = Some(resource);
        self
    }

    /// The environment that this endpoint belongs to; a key of another one is refused.
    #[must_use]
    pub fn environment(mut self, environment: &'a str) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The browser's `Origin`; read from the headers if those are given.
    #[must_use]
    pub fn origin(mut self, origin: &'a str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The client's address: that of the socket, or what `address::client_address` found behind trusted proxies.
    #[must_use]
    pub fn client_ip(mut self, ip: IpAddr) -> Self {
        self.client_ip = Some(ip);
        self
    }

    /// The host's id of this request, at most 128 bytes, for error bodies and audit lines.
    #[must_use]
    pub fn request_id(mut self, request_id: &'a str) -> Self {
        self.request_id = Some(request_id);
        self
    }

    /// The caller's id of the operation, 1 to 255 bytes, the same on every retry: it is charged once.
    #[must_use]
    pub fn operation_id(mut self, operation_id: &'a str) -> Self {
        self.operation_id = Some(operation_id);
        self
    }

    /// Further dimensions that limits may count by, such as `provider`.
    #[must_use]
    pub fn dimensions(mut self, dimensions: &'a [(&'a str, &'a str)]) -> Self {
        self.dimensions = dimensions;
        self
    }
}

impl std::fmt::Debug for Request<'_> {
    /// Without key, headers and query, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("org_id", &self.org_id)
            .field("user_id", &self.user_id)
            .field("resource", &self.resource)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}
