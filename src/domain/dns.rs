//! TXT records through hickory-resolver, on a thread with a runtime of its own: callers block, and no runtime of theirs
//! is ever entered.

use crate::domain::{LookupError, MAX_ANSWER_LEN, MAX_RECORDS, Resolver};
use crate::error::{Error, ErrorKind};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// How many look-ups may wait for the thread; more fail at once.
const QUEUE_LEN: usize = 64;
const ATTEMPTS: usize = 2;

/// A [`Resolver`] that asks the name servers of the system, or given ones.
///
/// Nothing is cached, so a record that was just published is found. Look-ups run side by side; each ends within its
/// deadline. Dropping the resolver ends its thread and every look-up in flight.
#[derive(Debug)]
pub struct DnsResolver {
    queries: Option<mpsc::Sender<Query>>,
    thread: Option<JoinHandle<()>>,
    timeout: Duration,
}

#[derive(Debug)]
struct Query {
    name: String,
    answer: SyncSender<Result<Vec<String>, LookupError>>,
}

impl DnsResolver {
    /// Asks the name servers that the system is configured with. A look-up fails after `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the system names no server or no thread can be started.
    pub fn system(timeout: Duration) -> Result<Self, Error> {
        let (config, _) = hickory_resolver::system_conf::read_system_conf()
            .map_err(|e| cannot_start("the system's name servers cannot be read").with_source(e))?;
        Self::start(config, timeout)
    }

    /// Asks these name servers over UDP, and over TCP where an answer does not fit. A look-up fails after `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when no thread can be started.
    pub fn with_name_servers(servers: &[SocketAddr], timeout: Duration) -> Result<Self, Error> {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        Self::start(ResolverConfig::from_name_servers(servers.collect()), timeout)
    }

    fn start(config: ResolverConfig, timeout: Duration) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| cannot_start("the runtime of the DNS thread cannot be made").with_source(e))?;
        let mut options = ResolverOpts::default();
        options.timeout = timeout / ATTEMPTS as u32;
        options.attempts = ATTEMPTS;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|e| cannot_start("the DNS resolver cannot be made").with_source(e))?;
        let (queries, inbox) = mpsc::channel(QUEUE_LEN);
        let thread = std::thread::Builder::new()
            .name("tenantkit-dns".into())
            .spawn(move || serve(&runtime, &resolver, inbox, timeout))
            .map_err(|e| cannot_start("the DNS thread cannot be started").with_source(e))?;
        Ok(Self { queries: Some(queries), thread: Some(thread), timeout })
    }
}

impl Resolver for DnsResolver {
    fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let (answer, outcome) = sync_channel(1);
        let query = Query { name: name.to_owned(), answer };
        let Some(queries) = &self.queries else { return Err(LookupError::new("the resolver is closed")) };
        queries.try_send(query).map_err(|_| LookupError::new("too many look-ups are waiting"))?;
        // The thread keeps the deadline; this one is for a thread that is gone, as after a fork.
        outcome
            .recv_timeout(self.timeout * 2)
            .unwrap_or_else(|_| Err(LookupError::new("the DNS thread did not answer")))
    }
}

impl Drop for DnsResolver {
    fn drop(&mut self) {
        // Closing the queue ends the thread's loop; what is in flight is dropped with the runtime.
        self.queries = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(runtime: &Runtime, resolver: &TokioResolver, mut inbox: mpsc::Receiver<Query>, timeout: Duration) {
    runtime.block_on(async {
        while let Some(query) = inbox.recv().await {
            let resolver = resolver.clone();
            tokio::spawn(async move {
                let outcome = tokio::time::timeout(timeout, look_up(&resolver, &query.name)).await;
                let outcome = outcome.unwrap_or_else(|_| Err(LookupError::new("timed out")));
                // A caller that gave up needs no answer.
                let _ = query.answer.try_send(outcome);
            });
        }
    });
}

async fn look_up(resolver: &TokioResolver, name: &str) -> Result<Vec<String>, LookupError> {
    // The final dot keeps the system's search list out.
    let answer = match resolver.txt_lookup(format!("{name}.")).await {
        Ok(answer) => answer,
        // Only the answers "no such name" and "no such record" are reported so; a refusing server is not.
        Err(e) if e.is_no_records_found() => return Ok(Vec::new()),
        Err(e) => return Err(LookupError::new(e.to_string())),
    };
    let texts = answer.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(txt.txt_data.concat()),
        _ => None,
    });
    let readable = texts.filter(|bytes| bytes.len() <= MAX_ANSWER_LEN);
    Ok(readable.filter_map(|bytes| String::from_utf8(bytes).ok()).take(MAX_RECORDS).collect())
}

fn cannot_start(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, mpsc as std_mpsc};

    /// What the test's name server says.
    #[derive(Clone, Copy)]
    enum Reply {
        Txt(&'static [&'static [&'static str]]),
        Code(u8),
        Silence,
    }

    /// A name server on the loopback that gives every query the same reply, and counts them.
    fn name_server(reply: Reply) -> (SocketAddr, Arc<AtomicU32>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let count = Arc::new(AtomicU32::new(0));
        let seen = count.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                seen.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&buffer[..len], reply) {
                    socket.send_to(&answer, from).unwrap();
                }
            }
        });
        (address, count)
    }

    fn answer(query: &[u8], reply: Reply) -> Option<Vec<u8>> {
        let (code, records) = match reply {
            Reply::Txt(records) => (0, records),
            Reply::Code(code) => (code, &[][..]),
            Reply::Silence => return None,
        };
        // The question: labels up to the empty one, then type and class.
        let mut end = 12;
        while query[end] != 0 {
            end += 1 + usize::from(query[end]);
        }
        end += 5;
        let mut message = query[..end].to_vec();
        message[2] = 0x84; // a response, authoritative
        message[3] = 0x80 | code;
        message[4..12].copy_from_slice(&[0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        for strings in records {
            let data: Vec<u8> = strings
                .iter()
                .flat_map(|s| std::iter::once(u8::try_from(s.len()).unwrap()).chain(s.bytes()))
                .collect();
            // A pointer to the question's name, TXT, IN, 60 seconds.
            message.extend([0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        Some(message)
    }

    fn resolver(server: SocketAddr, timeout_ms: u64) -> DnsResolver {
        DnsResolver::with_name_servers(&[server], Duration::from_millis(timeout_ms)).unwrap()
    }

    #[test]
    fn all_records_are_read_and_their_strings_joined() {
        let (server, count) =
            name_server(Reply::Txt(&[&["v=spf1 -all"], &["tenantkit-", "verification=abc"]]));
        let resolver = resolver(server, 10_000);
        let expected = Ok(vec!["v=spf1 -all".to_owned(), "tenantkit-verification=abc".to_owned()]);
        assert_eq!(resolver.txt("_tenantkit-challenge.example.com"), expected);
        assert_eq!(resolver.txt("_tenantkit-challenge.example.com"), expected);
        assert_eq!(count.load(Ordering::SeqCst), 2, "an answer was cached");
    }

    #[test]
    fn no_such_name_is_an_answer_and_a_refusing_server_is_none() {
        let (missing, _) = name_server(Reply::Code(3));
        assert_eq!(resolver(missing, 10_000).txt("a.example.com"), Ok(Vec::new()));
        let (empty, _) = name_server(Reply::Code(0));
        assert_eq!(resolver(empty, 10_000).txt("a.example.com"), Ok(Vec::new()));
        for code in [2, 5] {
            let (server, _) = name_server(Reply::Code(code));
            assert!(resolver(server, 1_000).txt("a.example.com").is_err(), "response code {code}");
        }
    }

    #[test]
    fn a_silent_server_is_an_error_within_the_deadline() {
        let (server, _) = name_server(Reply::Silence);
        assert!(resolver(server, 200).txt("a.example.com").is_err());
    }

    #[test]
    fn a_look_up_may_be_made_from_a_runtime_thread_and_the_drop_too() {
        let (server, _) = name_server(Reply::Txt(&[&["x"]]));
        let (done, outcome) = std_mpsc::channel();
        Builder::new_current_thread().build().unwrap().block_on(async move {
            let resolver = resolver(server, 10_000);
            done.send(resolver.txt("a.example.com")).unwrap();
            drop(resolver);
        });
        assert_eq!(outcome.recv().unwrap(), Ok(vec!["x".to_owned()]));
    }
}
