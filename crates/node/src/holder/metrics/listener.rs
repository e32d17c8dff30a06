//! The page over HTTP, on a loopback address.
//!
//! Whoever may run programs on this machine may read it. So it has a thread and a runtime of its own, where it can hold up no session: a few
//! connections at a time, one request each, a deadline on each, and a pause before the next is taken.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, oneshot};

use super::books::Books;
use crate::failure::{Failure, io_cause};
use crate::holder::serve::Shared;

/// Connections at a time; others are closed at once.
const CONNECTIONS_MAX: usize = 8;
/// How long a request may take to arrive.
const HEADER_WAIT: Duration = Duration::from_secs(5);
/// How long a connection lives, however slowly its page is read.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// How long to wait before the next connection is taken: what a flood of them can cost.
const PAUSE: Duration = Duration::from_millis(5);
/// Bytes of a request; as little as the library takes.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// The page's path.
const PATH: &str = "/metrics";

/// Takes the port, on a loopback address (the command line sees to that). Gives the address, with the port that the system chose.
///
/// # Errors
/// Exit 3, `metrics`: the port cannot be had.
pub(in crate::holder) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let taken = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    });
    taken.map_err(|error| {
        Failure::input("metrics", format!("cannot listen on {address} (TCP) for the metrics: {}", io_cause(&error)))
            .with_hint("choose another port with --metrics; port 0 takes a free one")
    })
}

/// The listener's thread, for as long as the value lives.
#[derive(Debug)]
pub(in crate::holder) struct Endpoint {
    _stop: oneshot::Sender<()>,
}

impl Endpoint {
    /// Answers on `listener`.
    ///
    /// # Errors
    /// Exit 3: no thread can be started.
    pub(in crate::holder) fn start(listener: TcpListener, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let no_thread = |error: io::Error| Failure::input("runtime", format!("threads could not be started: {}", io_cause(&error)));
        let pages = Arc::new(Pages::new(shared));
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build().map_err(no_thread)?;
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = answer_all(listener, pages) => {}
                    }
                });
                runtime.shutdown_background();
            })
            .map_err(no_thread)?;
        Ok(Self { _stop: stop })
    }
}

async fn answer_all(listener: TcpListener, pages: Arc<Pages>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the metrics cannot be listened for"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // One more than there may be is closed by being dropped.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let pages = Arc::clone(&pages);
                    tokio::spawn(async move {
                        let service = service_fn(move |request| answer(request, Arc::clone(&pages)));
                        let connection = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEADER_WAIT)
                            .keep_alive(false)
                            .max_buf_size(REQUEST_BYTES_MAX)
                            .serve_connection(TokioIo::new(stream), service);
                        match tokio::time::timeout(CONNECTION_WAIT, connection).await {
                            Ok(Ok(())) => {}
                            Ok(Err(error)) => tracing::debug!(%error, "a reader of the metrics broke off"),
                            Err(_) => tracing::debug!("a reader of the metrics was too slow"),
                        }
                        drop(place);
                    });
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a reader of the metrics could not be taken");
                tokio::time::sleep(HEADER_WAIT).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the request was meant for this machine. A web page that the operator looks at can send requests to this port under a name that it
/// makes point here; it cannot send one under another host's name.
fn is_for_here(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host else { return true };
    let Ok(host) = host.to_str() else { return false };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.parse::<u16>().is_ok() { name } else { host });
    name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a request gets beside the page.
fn judge(method: &Method, path: &str, host: Option<&HeaderValue>) -> Result<(), (StatusCode, &'static str)> {
    if !is_for_here(host) {
        Err((StatusCode::MISDIRECTED_REQUEST, "the metrics are for this machine alone\n"))
    } else if path != PATH {
        Err((StatusCode::NOT_FOUND, "the metrics are at /metrics\n"))
    } else if method != Method::GET && method != Method::HEAD {
        Err((StatusCode::METHOD_NOT_ALLOWED, "the metrics can be read, and nothing else\n"))
    } else {
        Ok(())
    }
}

async fn answer(request: Request<Incoming>, pages: Arc<Pages>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body, kind) = match judge(request.method(), request.uri().path(), request.headers().get(HOST)) {
        Err((status, why)) => (status, why.to_owned(), "text/plain; charset=utf-8"),
        Ok(()) => match page(pages).await {
            Some(page) => (StatusCode::OK, page, "text/plain; version=0.0.4; charset=utf-8"),
            None => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n".to_owned(), "text/plain; charset=utf-8"),
        },
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

/// Written beside the connections: it reads the ledger and /proc.
async fn page(pages: Arc<Pages>) -> Option<String> {
    tokio::task::spawn_blocking(move || pages.write()).await.ok().flatten()
}

/// Everything that is on a page.
#[derive(Debug)]
struct Pages {
    registry: Registry,
    books: Arc<Books>,
}

impl Pages {
    fn new(shared: &Arc<Shared>) -> Self {
        let (mut registry, books) = (Registry::default(), Arc::new(Books::new(Arc::clone(shared))));
        shared.metrics.register(&mut registry);
        registry.register_collector(Box::new(Arc::clone(&books)));
        Self { registry, books }
    }

    fn write(&self) -> Option<String> {
        // First: the counters of verifiers that it finds trusted are on the same page.
        self.books.look();
        let mut text = String::new();
        encode_registry(&mut text, &self.registry).ok().map(|()| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_to_this_machine_are_answered() {
        let here = |host: &'static str| is_for_here(Some(&HeaderValue::from_static(host)));
        for host in ["127.0.0.1:9464", "127.0.0.1", "localhost", "localhost:9464", "[::1]:9464", "[::1]", "127.9.9.9:1"] {
            assert!(here(host), "{host}");
        }
        for host in
            ["", "evil.example:9464", "evil.example", "127.0.0.1.evil.example", "192.0.2.1:9464", "localhost.evil:1", "[2001:db8::1]:1"]
        {
            assert!(!here(host), "{host}");
        }
        assert!(is_for_here(None), "HTTP/1.0 has no such header");
    }

    #[test]
    fn there_is_one_page_and_it_is_only_read() {
        let status = |method: Method, path| judge(&method, path, None).map_err(|(status, _)| status.as_u16());
        assert_eq!(status(Method::GET, "/metrics"), Ok(()));
        assert_eq!(status(Method::HEAD, "/metrics"), Ok(()));
        assert_eq!(status(Method::GET, "/"), Err(404));
        assert_eq!(status(Method::GET, "/metrics/"), Err(404));
        assert_eq!(status(Method::POST, "/metrics"), Err(405));
        assert_eq!(status(Method::DELETE, "/metrics"), Err(405));
    }
}
