//! From a method and a path to an operation, by segments.
//!
//! A literal segment beats a placeholder, and both beat `{*rest}`. Whatever two programs could read differently (empty,
//! `.` and `..` segments, encoded slashes, backslashes, broken escapes) matches nothing.

use super::table::NameHasher;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Most segments of a path or pattern.
pub const MAX_SEGMENTS: usize = 32;

/// All route patterns of a policy as one tree of segments.
#[derive(Clone, Debug)]
pub struct Router {
    nodes: Vec<Node>,
}

/// Where a request's method and path lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch<'p, 'r> {
    /// The operation, an index into [`super::Policy::operations`].
    pub operation: u16,
    /// The placeholders and what stands for them, percent-decoded once, in order.
    pub params: Vec<(&'p str, Cow<'r, str>)>,
}

/// Why a pattern cannot be a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteError {
    /// The pattern is not `METHOD /path`; the text says what is wrong with it.
    Malformed(&'static str),
    /// Another operation, or this one, has the same pattern already.
    Taken {
        /// The other operation.
        operation: u16,
    },
}

#[derive(Clone, Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize, BuildHasherDefault<NameHasher>>,
    placeholder: Option<usize>,
    rest: Option<usize>,
    ends: Vec<End>,
}

#[derive(Clone, Debug)]
struct End {
    method: Option<Box<str>>,
    operation: u16,
    names: Box<[Box<str>]>,
}

enum Segment<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
    Rest(&'a str),
}

impl Default for Router {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Router {
    /// Adds a pattern.
    pub(crate) fn insert(
        &mut self,
        method: Option<&str>,
        path: &str,
        operation: u16,
    ) -> Result<(), RouteError> {
        let segments = parse_pattern(path).map_err(RouteError::Malformed)?;
        let mut at = 0;
        let mut names: Vec<Box<str>> = Vec::new();
        for segment in &segments {
            at = self.child(at, segment);
            if let Segment::Placeholder(name) | Segment::Rest(name) = segment {
                if names.iter().any(|known| **known == **name) {
                    return Err(RouteError::Malformed("a placeholder stands twice"));
                }
                names.push((*name).into());
            }
        }
        let Some(node) = self.nodes.get_mut(at) else {
            return Err(RouteError::Malformed("the pattern is too long"));
        };
        if let Some(end) = node.ends.iter().find(|end| end.method.as_deref() == method) {
            return Err(RouteError::Taken { operation: end.operation });
        }
        node.ends.push(End { method: method.map(Into::into), operation, names: names.into() });
        Ok(())
    }

    /// The route that `method` and `path` match. `path` is as sent, without query.
    #[must_use]
    pub fn find<'p, 'r>(&'p self, method: &str, path: &'r str) -> Option<RouteMatch<'p, 'r>> {
        let segments = split_path(path)?;
        let (node, values) = self.descend(&segments)?;
        let end = node
            .ends
            .iter()
            .find(|end| end.method.as_deref() == Some(method))
            .or_else(|| node.ends.iter().find(|end| end.method.is_none()))?;
        let params = end.names.iter().map(|name| &**name).zip(values).collect();
        Some(RouteMatch { operation: end.operation, params })
    }

    fn child(&mut self, at: usize, segment: &Segment<'_>) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return fresh };
        let child = match segment {
            Segment::Literal(text) => *node.literals.entry((*text).into()).or_insert(fresh),
            Segment::Placeholder(_) => *node.placeholder.get_or_insert(fresh),
            Segment::Rest(_) => *node.rest.get_or_insert(fresh),
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The node at the end of `segments`, and what its placeholders stand for. Every node is looked at no more than once:
    /// the patterns form a tree, so a node has one depth.
    fn descend<'r>(&self, segments: &[Cow<'r, str>]) -> Option<(&Node, Vec<Cow<'r, str>>)> {
        let mut values: Vec<Cow<'r, str>> = Vec::new();
        // What is still to be tried, the most literal last.
        let mut open = vec![Step { node: 0, depth: 0, value: None, values: 0 }];
        while let Some(step) = open.pop() {
            values.truncate(step.values);
            values.extend(step.value);
            let node = self.nodes.get(step.node)?;
            let Some(first) = segments.get(step.depth) else {
                if node.ends.is_empty() {
                    continue;
                }
                return Some((node, values));
            };
            let mut push = |node: Option<usize>, depth, value| {
                open.extend(node.map(|node| Step { node, depth, value, values: values.len() }));
            };
            if !first.is_empty() {
                let rest = || Cow::from(segments.get(step.depth..).unwrap_or_default().join("/"));
                push(node.rest, segments.len(), node.rest.map(|_| rest()));
                push(node.placeholder, step.depth + 1, Some(first.clone()));
            }
            push(node.literals.get(&**first).copied(), step.depth + 1, None);
        }
        None
    }
}

/// A way into the tree that is still to be tried.
struct Step<'r> {
    node: usize,
    /// Segments behind it.
    depth: usize,
    /// What stands for the placeholder that leads here.
    value: Option<Cow<'r, str>>,
    /// Values before that one.
    values: usize,
}

/// The segments of a pattern.
fn parse_pattern(path: &str) -> Result<Vec<Segment<'_>>, &'static str> {
    let Some(path) = path.strip_prefix('/') else {
        return Err("a path starts with `/`");
    };
    let mut segments = Vec::new();
    let count = path.split('/').count();
    for (i, text) in path.split('/').enumerate() {
        let last = i + 1 == count;
        let segment = match text.strip_prefix('{').map(|t| t.strip_suffix('}')) {
            Some(Some(name)) => match name.strip_prefix('*') {
                Some(rest) if last && is_name(rest) => Segment::Rest(rest),
                Some(_) => return Err("`{*name}` stands for the rest of the path, so only at its end"),
                None if is_name(name) => Segment::Placeholder(name),
                None => return Err("a placeholder is `{name}` with letters, digits and `_`"),
            },
            Some(None) => return Err("a placeholder fills a whole segment"),
            None if text.contains(['{', '}']) => return Err("a placeholder fills a whole segment"),
            None if text.is_empty() && !last => return Err("an empty segment matches nothing"),
            None if !is_plain(text) => {
                return Err("a path has plain ASCII segments, not `.`, `..`, `%` or `\\`");
            }
            None => Segment::Literal(text),
        };
        segments.push(segment);
    }
    if segments.len() > MAX_SEGMENTS { Err("a path has at most 32 segments") } else { Ok(segments) }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_plain(text: &str) -> bool {
    text != "." && text != ".." && text.bytes().all(|b| b.is_ascii_graphic() && !b"%\\?#*".contains(&b))
}

/// The segments of a request's path, each percent-decoded once; `None` if two programs could read them differently.
fn split_path(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let path = path.strip_prefix('/')?;
    let mut segments = Vec::new();
    for text in path.split('/') {
        if segments.len() == MAX_SEGMENTS || segments.last().is_some_and(|s: &Cow<'_, str>| s.is_empty()) {
            return None;
        }
        let segment = percent_decode(text)?;
        let unsafe_byte = |b: u8| b.is_ascii_control() || b"/\\".contains(&b);
        if segment == "." || segment == ".." || segment.bytes().any(unsafe_byte) || text.contains(['?', '#'])
        {
            return None;
        }
        segments.push(segment);
    }
    Some(segments)
}

fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            decoded.push(data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok()?.first().copied()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(patterns: &[&str]) -> Router {
        let mut router = Router::default();
        for (i, pattern) in (0..).zip(patterns) {
            let (method, path) = pattern.split_once(' ').unwrap();
            router.insert((method != "*").then_some(method), path, i).unwrap();
        }
        router
    }

    fn found(router: &Router, method: &str, path: &str) -> Option<(u16, String)> {
        let hit = router.find(method, path)?;
        let params: Vec<String> = hit.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some((hit.operation, params.join("&")))
    }

    #[test]
    fn literals_beat_placeholders_and_the_rest_comes_last() {
        let router = router(&[
            "GET /v1/flows",
            "GET /v1/flows/{id}",
            "GET /v1/flows/mine",
            "* /v1/flows/{id}/runs/{run}",
            "GET /{*rest}",
            "POST /mcp/",
            "GET /v1/{x}/last",
        ]);
        let cases = [
            ("GET", "/v1/flows", Some((0, ""))),
            ("GET", "/v1/flows/7", Some((1, "id=7"))),
            ("GET", "/v1/flows/mine", Some((2, ""))),
            ("PATCH", "/v1/flows/a%20b/runs/c", Some((3, "id=a b&run=c"))),
            ("GET", "/docs/a/b", Some((4, "rest=docs/a/b"))),
            ("GET", "/v1/flows/last/x", Some((4, "rest=v1/flows/last/x"))),
            ("GET", "/v1/other/last", Some((6, "x=other"))),
            ("POST", "/mcp/", Some((5, ""))),
            ("POST", "/mcp", None),
            ("DELETE", "/v1/flows/mine", None),
            ("get", "/v1/flows", None),
        ];
        for (method, path, expected) in cases {
            assert_eq!(
                found(&router, method, path),
                expected.map(|(i, p)| (i, p.to_owned())),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn paths_that_could_be_read_in_two_ways_match_nothing() {
        let router = router(&["GET /{*rest}"]);
        for path in [
            "",
            "x",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/a/%2e%2E",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%ff",
            "/a%00",
            "/a?b",
            "/a#b",
        ] {
            assert_eq!(router.find("GET", path), None, "{path}");
        }
        assert!(router.find("GET", "/a/%252e").is_some(), "decoded once only");
        assert!(router.find("GET", &"/a".repeat(MAX_SEGMENTS)).is_some());
        assert_eq!(router.find("GET", &"/a".repeat(MAX_SEGMENTS + 1)), None);
    }

    #[test]
    fn two_operations_cannot_share_a_pattern() {
        let mut router = router(&["GET /a/{x}"]);
        assert_eq!(router.insert(Some("GET"), "/a/{y}", 1), Err(RouteError::Taken { operation: 0 }));
        assert_eq!(router.insert(Some("PUT"), "/a/{y}", 1), Ok(()));
        for bad in ["a", "/{x", "/x{y}", "/{*r}/b", "/{}", "/a//b", "/..", "/{x}/{x}", "/%41", "/é"] {
            assert!(matches!(router.insert(None, bad, 2), Err(RouteError::Malformed(_))), "{bad}");
        }
        let long = |segments| "/a".repeat(segments);
        assert_eq!(router.insert(None, &long(MAX_SEGMENTS), 2), Ok(()));
        assert!(matches!(router.insert(None, &long(MAX_SEGMENTS + 1), 2), Err(RouteError::Malformed(_))));
    }
}
