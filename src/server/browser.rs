//! Decides which requests from browsers the server processes.
//!
//! A browser lets any web page send requests to any server that the machine reaches, including this
//! one. Without verified signatures such a request would be executed. Browsers add headers that
//! show its origin, and a page cannot remove them:
//!
//! - `Origin`, with every POST and every call of a page of another origin;
//! - `Referer`, unless the page suppresses it;
//! - `Sec-Fetch-Site`, from current browsers if the connection is trustworthy: https and loopback.
//!
//! The server rejects a request from a page that is neither its own nor allowed by the CORS
//! settings. Exceptions are links that a person follows to confirm or end a subscription, or to
//! open the console.
//!
//! DNS rebinding disguises a foreign page as a page of this server: its name resolves to this
//! machine. The name stays in the `Host` header, so browsers must use a name of this server. An IP
//! address cannot be rebound. Other programs may use any `Host`, as container networks require.

use hyper::header::{
    HOST, HeaderMap, HeaderName, ORIGIN, REFERER, UPGRADE_INSECURE_REQUESTS, USER_AGENT,
};
use hyper::{Method, Uri};

use super::cors::Cors;
use super::forwarded;
use super::response::header;
use crate::api::operations::{OPERATIONS, Scope};
use crate::config::{Compat, Settings};
use crate::domain::host::{Authority, is_or_is_below};
use crate::wire::form::Params;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: &str = "sec-fetch-mode";
const FETCH_DEST: &str = "sec-fetch-dest";
/// The prefixes of operations that change nothing, by AWS's naming convention.
const READING: [&str; 2] = ["Get", "List"];
/// The characters of a host or an origin that a rejection repeats.
const LONGEST_QUOTE: usize = 100;

/// The settings for requests from browsers.
#[derive(Debug, Clone, Default)]
pub struct BrowserRules {
    /// The origins whose pages may call.
    pub cors: Cors,
    /// The names of this server; `*.` stands for all names below one, `*` for all names.
    names: Vec<String>,
    /// The base names of queue URLs of the forms `sqs.REGION.NAME` and `REGION.queue.NAME`.
    bases: Vec<String>,
    /// The origin under which a proxy serves this server.
    public_origin: Option<String>,
    stands_in_for_localstack: bool,
}

/// Why a request is rejected. Each variant becomes a sentence that names the setting to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// A browser called this server by a name that is not known as its own.
    Host(String),
    /// A page of this origin, or of a site that the browser does not name, sent the request.
    Page(String),
    /// The browser does not name the page that sent a request for a change.
    Unknown,
}

impl BrowserRules {
    /// Returns the rules for these settings.
    pub fn new(settings: &Settings) -> Self {
        let local = settings.compat == Some(Compat::Localstack);
        let public = settings.public_url.as_deref().and_then(origin_of);
        let public_host = public.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        let host = |text: &str| {
            let authority = Authority::parse(text).filter(|authority| !authority.is_ip())?;
            Some(authority.host().to_ascii_lowercase())
        };
        let bases: Vec<_> = [Some(settings.external_host.as_str()), public_host]
            .into_iter()
            .flatten()
            .filter_map(host)
            .collect();
        let mut names = settings.allowed_hosts.clone();
        names.extend(settings.listen.iter().filter_map(|address| host(address)));
        names.extend(bases.iter().cloned());
        Self {
            cors: Cors::new(&settings.cors_allowed_origins, local),
            names,
            bases,
            public_origin: public.map(str::to_ascii_lowercase),
            stands_in_for_localstack: local,
        }
    }

    /// Decides from the head of a request whether to process it; the error is the reason for a
    /// rejection. Requests from other programs cost four header lookups.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Rejection> {
        let says_site = headers.contains_key(FETCH_SITE);
        let is_browser = says_site || is_agent_of_browser(headers);
        if is_browser && let Some(host) = self.foreign_host(uri, headers) {
            return Err(Rejection::Host(host));
        }
        let sender = self.sender(uri, headers);
        match sender {
            Sender::Foreign(_) if is_followed_link(method, uri, headers) => Ok(()),
            Sender::Foreign(page) => Err(self.rejection(page, uri, headers)),
            Sender::Unnamed
                if is_browser
                    && !says_site
                    && *method == Method::GET
                    && changes_something(uri)
                    && !self.cors.allows_all()
                    && !hosts(uri, headers).all(is_loopback) =>
            {
                Err(Rejection::Unknown)
            }
            Sender::Welcome | Sender::Unnamed => Ok(()),
        }
    }

    /// Returns the message of a rejection.
    pub fn sentence(&self, rejection: &Rejection) -> String {
        let (origins, host) = if self.stands_in_for_localstack {
            (" or EXTRA_CORS_ALLOWED_ORIGINS", " or LOCALSTACK_HOST")
        } else {
            ("", "")
        };
        let origins = format!("--cors-allowed-origins (SQUAB_CORS_ALLOWED_ORIGINS{origins})");
        match rejection {
            Rejection::Host(name) => format!(
                "A browser called this server by the name `{name}`, which is not known to be its own. If it \
                 is, add it to --allowed-hosts (SQUAB_ALLOWED_HOSTS{host}), or set --public-url."
            ),
            Rejection::Page(page) => format!(
                "A web page of another site ({page}) sent this request. If its pages may call this \
                 server, add its origin to {origins}."
            ),
            Rejection::Unknown => format!(
                "A browser sent this request without naming its page. Send it with POST, or let all \
                 pages call this server with {origins} and `*`."
            ),
        }
    }

    /// Returns a host in the request that does not belong to this server, if there is one. Browsers
    /// always send a host.
    fn foreign_host(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let mut all = hosts(uri, headers).peekable();
        if all.peek().is_none() {
            return Some(String::new());
        }
        all.find(|host| !self.is_own(host)).map(quote)
    }

    /// Returns whether a host, with its port, is an address or a name of this server.
    fn is_own(&self, host: &str) -> bool {
        let Some(authority) = Authority::parse(host) else { return false };
        let name = authority.host();
        authority.is_ip()
            || authority.is_loopback()
            || self.names.iter().any(|known| match known.strip_prefix("*.") {
                Some(domain) => is_or_is_below(name, domain) && name.len() > domain.len(),
                None => known == "*" || name.eq_ignore_ascii_case(known),
            })
            || self.bases.iter().any(|base| is_name_of_service(name, base))
    }

    fn sender(&self, uri: &Uri, headers: &HeaderMap) -> Sender {
        let mut is_named = false;
        let mut is_allowed = self.cors.allows_all();
        for (is_referer, value) in pages(headers) {
            if is_referer && value.is_empty() {
                continue;
            }
            // The origin of a page is either a URL or `null`.
            let text = std::str::from_utf8(value).unwrap_or_default();
            let page = if is_referer { origin_of(text).unwrap_or_default() } else { text };
            is_named = true;
            if self.cors.allows(page) {
                is_allowed = true;
            } else if !self.is_own_page(page, uri, headers) {
                return Sender::Foreign(quote(page));
            }
        }
        let foreign_site = headers.get_all(FETCH_SITE).iter().find(|site| {
            // `none` means a person: a typed address, a bookmark, or a link in another program.
            !matches!(site.as_bytes(), b"same-origin" | b"none")
        });
        match foreign_site {
            Some(site) if !is_allowed => {
                Sender::Foreign(quote(&String::from_utf8_lossy(site.as_bytes())))
            }
            _ if is_named || is_allowed => Sender::Welcome,
            _ => Sender::Unnamed,
        }
    }

    /// Returns whether pages of this origin come from this server: the origin has the scheme and
    /// the host of the request, which belongs to this server, or it is that of `--public-url`.
    ///
    /// A proxy header may state that the request came by https. This needs no trust in the proxy,
    /// because a page of another origin cannot add the header: its browser would send a preflight,
    /// which fails.
    fn is_own_page(&self, origin: &str, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some((scheme, host)) = origin.split_once("://") else { return false };
        let is_public = || {
            let public = self.public_origin.as_deref();
            public.is_some_and(|public| public.eq_ignore_ascii_case(origin))
        };
        let is_here = || {
            scheme == forwarded::of_proxy(headers).0.unwrap_or("http")
                && self.is_own(host)
                && hosts(uri, headers).all(|here| here.eq_ignore_ascii_case(host))
        };
        is_here() || is_public()
    }

    /// The page has the host of the request, so the name of that host is the reason for the
    /// rejection.
    fn rejection(&self, page: String, uri: &Uri, headers: &HeaderMap) -> Rejection {
        let host = page.split_once("://").map_or("", |(_, host)| host);
        if !self.is_own(host) && hosts(uri, headers).any(|here| here == host) {
            return Rejection::Host(host.to_owned());
        }
        Rejection::Page(page)
    }
}

/// The origin of a request.
enum Sender {
    /// A page of this server, or one that the CORS settings allow.
    Welcome,
    /// A page of another site.
    Foreign(String),
    /// Not a page, or one that the browser does not name.
    Unnamed,
}

fn is_agent_of_browser(headers: &HeaderMap) -> bool {
    let is_one =
        |agent: &[u8]| agent.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"Mozilla/"));
    headers.get_all(USER_AGENT).iter().any(|agent| is_one(agent.as_bytes()))
}

/// Returns the hosts that a request addresses, with their ports: one, unless the client is hostile.
fn hosts<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let given = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    given.chain(uri.authority().map(hyper::http::uri::Authority::as_str))
}

fn is_loopback(host: &str) -> bool {
    Authority::parse(host).is_some_and(|authority| authority.is_loopback())
}

/// Returns the headers that name the page of a request, each with whether it is a `Referer`.
fn pages(headers: &HeaderMap) -> impl Iterator<Item = (bool, &[u8])> {
    let origins = headers.get_all(ORIGIN).iter().map(|origin| (false, origin.as_bytes()));
    origins.chain(headers.get_all(REFERER).iter().map(|referer| (true, referer.as_bytes())))
}

/// The beginning of a URL up to its path: `https://shop.example:8080`.
fn origin_of(url: &str) -> Option<&str> {
    let start = url.find("://")? + "://".len();
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |length| start + length);
    Some(&url[..end])
}

/// Returns whether a name is `sqs.REGION.BASE` or `REGION.queue.BASE`, as in queue URLs of these
/// forms.
fn is_name_of_service(name: &str, base: &str) -> bool {
    if !is_or_is_below(name, base) || name.len() <= base.len() {
        return false;
    }
    let mut labels = name[..name.len() - base.len() - 1].split('.');
    match (labels.next(), labels.next(), labels.next()) {
        (Some("queue"), None, None) => true,
        (Some(first), Some(second), None) => first == "sqs" || second == "queue",
        _ => false,
    }
}

/// Returns whether a person followed a link in a message.
///
/// Browsers send no `Sec-Fetch-Mode` over an untrustworthy connection, but request an upgrade to
/// https when a person navigates. Pages cannot send that header.
fn is_followed_link(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let navigates = match header(headers, FETCH_MODE) {
        Some(mode) => mode == "navigate" && header(headers, FETCH_DEST) == Some("document"),
        None => {
            !headers.contains_key(FETCH_SITE)
                && header(headers, UPGRADE_INSECURE_REQUESTS.as_str()) == Some("1")
        }
    };
    *method == Method::GET
        && navigates
        && !headers.contains_key(ORIGIN)
        && !uri.path().starts_with("/_")
        && has_action(uri, is_link)
}

/// Returns whether a URL calls an operation that may change something.
fn changes_something(uri: &Uri) -> bool {
    has_action(uri, |action| {
        !is_link(action) && !READING.iter().any(|reading| action.starts_with(reading))
    })
}

fn is_link(action: &str) -> bool {
    OPERATIONS.iter().any(|known| known.scope == Scope::Link && known.name == action)
}

fn has_action(uri: &Uri, fits: impl Fn(&str) -> bool) -> bool {
    let params = uri.query().and_then(|query| Params::parse(Some(query), b"").ok());
    params.as_ref().and_then(|params| params.get("Action")).is_some_and(fits)
}

fn quote(text: &str) -> String {
    let text = text.chars().filter(|character| !character.is_control());
    text.take(LONGEST_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;

    const HOST_HERE: &str = "host: localhost:4566";
    const BROWSER: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64)";
    const EVIL: &str = "origin: https://evil.example";
    const CONFIRM: &str = "GET /?Action=ConfirmSubscription&TopicArn=t&Token=x";
    const SEND: &str = "GET /000000000000/q?Action=SendMessage&MessageBody=x";
    const CALL: &str = "POST /";

    /// Whether this request is answered with these settings; `head` are lines `name: value`, and
    /// without one of a host it is `localhost:4566`.
    fn decide(arguments: &[&str], line: &str, head: &[&str]) -> Result<(), Rejection> {
        let rules = BrowserRules::new(&settings(arguments, &[]));
        let mut request = hyper::Request::builder();
        let (method, uri) = line.split_once(' ').unwrap();
        request = request.method(method).uri(uri);
        let has_host = head.iter().any(|line| line.starts_with("host:"));
        let host = (!has_host).then_some(HOST_HERE);
        for line in host.iter().chain(head) {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        rules.check(&parts.method, &parts.uri, &parts.headers)
    }

    #[test]
    fn pages_of_other_sites_are_rejected_however_they_call() {
        for (line, head) in [
            (CALL, &[EVIL][..]),
            (CALL, &["origin: null"]),
            (CALL, &["origin: http://localhost:3000"]),
            (CALL, &["origin: http://127.0.0.1:4566"]),
            (CALL, &["origin: https://localhost:4566"]),
            (CALL, &["referer: https://localhost:4566/"]),
            (CALL, &["origin: http://localhost:4566", "x-forwarded-proto: https"]),
            (CALL, &["origin: http://localhost:4566.evil.example"]),
            (CALL, &["origin: http://user@localhost:4566"]),
            (CALL, &["origin: file://localhost:4566"]),
            (CALL, &["origin: "]),
            (CALL, &["origin: http://localhost:4566", EVIL]),
            (CALL, &["referer: https://evil.example/page"]),
            (CALL, &["referer: garbage"]),
            (CALL, &["origin: http://localhost:4566", "referer: http://evil.example/"]),
            (CALL, &["sec-fetch-site: cross-site"]),
            (CALL, &["sec-fetch-site: same-site"]),
            (CALL, &["sec-fetch-site: same-origin", "sec-fetch-site: cross-site"]),
            // A page of this server was led elsewhere and back.
            (CALL, &["origin: http://localhost:4566", "sec-fetch-site: cross-site"]),
            (SEND, &["referer: https://evil.example/", BROWSER]),
            (
                SEND,
                &["sec-fetch-site: cross-site", "sec-fetch-mode: no-cors", "sec-fetch-dest: image"],
            ),
            // A link to what is not a link in a message.
            (
                SEND,
                &[
                    "sec-fetch-site: cross-site",
                    "sec-fetch-mode: navigate",
                    "sec-fetch-dest: document",
                ],
            ),
            (SEND, &["referer: http://evil.example/", "upgrade-insecure-requests: 1"]),
            (
                "GET /health",
                &[
                    "sec-fetch-site: cross-site",
                    "sec-fetch-mode: navigate",
                    "sec-fetch-dest: document",
                ],
            ),
            ("OPTIONS /", &[EVIL, "access-control-request-method: POST"]),
            ("GET /metrics", &[EVIL]),
            ("GET /health", &[EVIL]),
            ("GET /_aws/sqs/messages?QueueUrl=q", &[EVIL]),
            ("POST /_localstack/state/reset", &[EVIL]),
            ("POST /moto-api/reset", &["sec-fetch-site: cross-site"]),
            ("GET /", &[EVIL, "upgrade: websocket", "sec-fetch-mode: websocket"]),
        ] {
            let decided = decide(&[], line, head);
            assert!(matches!(decided, Err(Rejection::Page(_))), "{line} {head:?}: {decided:?}");
        }
    }

    #[test]
    fn own_pages_people_and_programs_are_answered() {
        for (line, head) in [
            (CALL, &[][..]),
            (CALL, &["host: anything:1"]),
            (CALL, &["host: anything", "sec-fetch-mode: cors", "user-agent: node"]),
            (CALL, &["host: anything", "user-agent: aws-sdk-js/3.0 Mozilla/5.0"]),
            (CALL, &[BROWSER]),
            (CALL, &["origin: http://localhost:4566"]),
            (
                CALL,
                &[
                    "origin: http://localhost:4566",
                    "referer: http://localhost:4566/page",
                    "sec-fetch-site: same-origin",
                ],
            ),
            (CALL, &["origin: https://localhost:4566", "x-forwarded-proto: https"]),
            (CALL, &["host: 192.168.1.5:4566", "origin: http://192.168.1.5:4566", BROWSER]),
            (CALL, &["host: [fe80::1]:4566", "origin: http://[fe80::1]:4566", BROWSER]),
            (SEND, &[BROWSER, "sec-fetch-site: none"]),
            (SEND, &[BROWSER]),
            (SEND, &["referer: "]),
            ("GET /?Action=ListQueues", &[BROWSER, "host: 192.168.1.5"]),
            ("GET /metrics", &[BROWSER, "host: 192.168.1.5"]),
        ] {
            assert_eq!(decide(&[], line, head), Ok(()), "{line} {head:?}");
        }
    }

    #[test]
    fn a_person_follows_links_of_messages_from_anywhere() {
        let followed =
            ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate", "sec-fetch-dest: document"];
        let plain = ["referer: http://mail.example/", "upgrade-insecure-requests: 1", BROWSER];
        for line in [CONFIRM, "GET /?Action=Unsubscribe&SubscriptionArn=a"] {
            for head in [&followed[..], &plain] {
                assert_eq!(decide(&[], line, head), Ok(()), "{line} {head:?}");
                assert!(decide(&[], line, &[head, &[EVIL]].concat()).is_err(), "{line} {head:?}");
                let host = [head, &["host: evil.example", BROWSER]].concat();
                assert!(decide(&[], line, &host).is_err(), "{line} {head:?}");
                let posted = line.replace("GET", "POST");
                assert!(decide(&[], &posted, head).is_err(), "{posted} {head:?}");
            }
            for head in [
                &[
                    "sec-fetch-site: cross-site",
                    "sec-fetch-mode: navigate",
                    "sec-fetch-dest: iframe",
                ][..],
                &["sec-fetch-site: cross-site", "sec-fetch-mode: no-cors", "sec-fetch-dest: image"],
                &["sec-fetch-site: cross-site", "upgrade-insecure-requests: 1"],
                &["referer: http://mail.example/", BROWSER],
            ] {
                assert!(decide(&[], line, head).is_err(), "{line} {head:?}");
            }
        }
        for line in [
            "GET /?Action=SendMessage&Action=Unsubscribe",
            "GET /_aws/sqs/messages?Action=Unsubscribe",
            "GET /?Action=DeleteQueue&QueueUrl=u",
            "GET /_squab/?Action=DeleteQueue&QueueUrl=u",
            "GET /_squab/?Action=Unsubscribe",
            "GET /_squab/",
        ] {
            assert!(decide(&[], line, &followed).is_err(), "{line}");
        }
    }

    #[test]
    fn a_browser_must_use_a_name_of_this_server() {
        let site = ["sec-fetch-site: same-origin"];
        for (arguments, name, is_own) in [
            (&[][..], "localhost", true),
            (&[], "queues.localhost:4566", true),
            (&[], "127.8.8.8", true),
            (&[], "[::1]:4566", true),
            (&[], "10.0.0.7:4566", true),
            (&[], "localhost.localstack.cloud:4566", true),
            (&[], "sqs.us-east-1.localhost.localstack.cloud", true),
            (&[], "us-east-1.queue.localhost.localstack.cloud", true),
            (&[], "a.b.localhost.localstack.cloud", false),
            (&[], "evil.example:4566", false),
            (&[], "squab:4566", false),
            (&[], "localhost.evil.example", false),
            (&[], "127.0.0.1.evil.example", false),
            (&[], "user@localhost", false),
            (&[], "2130706433", false),
            (&["--public-url", "https://queues.example:8443/base"], "queues.example", true),
            (&["--public-url", "https://queues.example"], "sqs.eu-west-1.queues.example", true),
            (&["--public-url", "https://queues.example"], "other.queues.example", false),
            (&["--external-host", "squab:4566"], "SQUAB.:4566", true),
            (&["--allowed-hosts", "squab,*.lan"], "squab:4566", true),
            (&["--allowed-hosts", "squab,*.lan"], "a.b.lan", true),
            (&["--allowed-hosts", "squab,*.lan"], "lan", false),
            (&["--allowed-hosts", "squab,*.lan"], "evillan", false),
            (&["--allowed-hosts", "*"], "evil.example", true),
            (&["--listen", "squab:1", "--allow-anonymous"], "squab:4566", true),
        ] {
            let host = format!("host: {name}");
            for (line, head) in [
                (CALL, [host.as_str(), BROWSER]),
                (CALL, [&host, "user-agent: mozilla/5.0"]),
                (CALL, [&host, site[0]]),
                ("GET /health", [&host, BROWSER]),
            ] {
                let expected = if is_own { Ok(()) } else { Err(Rejection::Host(name.to_owned())) };
                assert_eq!(decide(arguments, line, &head), expected, "{line} {head:?}");
            }
        }
        // A page that changes its User-Agent still sends its origin with a POST.
        let rebound = ["host: evil.example", "origin: http://evil.example", "user-agent: curl/8"];
        assert_eq!(decide(&[], CALL, &rebound), Err(Rejection::Host("evil.example".to_owned())));
        let two = ["host: localhost", "host: evil.example", BROWSER];
        assert_eq!(decide(&[], CALL, &two), Err(Rejection::Host("evil.example".to_owned())));
        let absolute = "POST http://evil.example/";
        assert_eq!(
            decide(&[], absolute, &[BROWSER]),
            Err(Rejection::Host("evil.example".to_owned()))
        );
    }

    /// Where the connection is not trustworthy, browsers do not say from which site they come, and a
    /// page can ask for no `Referer`.
    #[test]
    fn without_a_name_of_the_page_a_browser_changes_nothing_on_another_machine() {
        for host in ["host: 192.168.1.5:4566", "host: 0.0.0.0:4566"] {
            for more in [&[][..], &["upgrade-insecure-requests: 1"]] {
                let head = [&[host, BROWSER], more].concat();
                assert_eq!(decide(&[], SEND, &head), Err(Rejection::Unknown), "{head:?}");
                assert_eq!(decide(&[], CONFIRM, &head), Ok(()), "{head:?}");
                let all = ["--cors-allowed-origins", "*"];
                assert_eq!(decide(&all, SEND, &head), Ok(()), "{head:?}");
            }
            assert_eq!(decide(&[], SEND, &[host]), Ok(()));
            assert_eq!(decide(&[], SEND, &[host, BROWSER, "sec-fetch-site: none"]), Ok(()));
        }
    }

    #[test]
    fn the_cors_settings_let_pages_of_other_sites_call() {
        let shop = ["--cors-allowed-origins", "https://shop.example"];
        let localstack = ["--compat", "localstack"];
        let all = ["--cors-allowed-origins", "*"];
        for (arguments, head, passes) in [
            (&shop[..], &["origin: https://shop.example", "sec-fetch-site: cross-site"][..], true),
            (&shop, &["referer: https://shop.example/cart?x", "sec-fetch-site: cross-site"], true),
            (&shop, &["origin: https://shop.example.evil.example"], false),
            (&shop, &["origin: https://shop.example", "referer: https://evil.example/"], false),
            (&shop, &["sec-fetch-site: cross-site"], false),
            (&shop, &["origin: null"], false),
            (&shop, &["origin: https://shop.example", "host: evil.example", BROWSER], false),
            (&localstack, &["origin: http://localhost:3000", "sec-fetch-site: same-site"], true),
            (&localstack, &["referer: http://127.0.0.1:8080/app"], true),
            (&localstack, &[EVIL], false),
            (&localstack, &["origin: http://evil.example", "host: evil.example"], false),
            (&all, &[EVIL, "sec-fetch-site: cross-site"], true),
            (&all, &["origin: null"], true),
            (&all, &["sec-fetch-site: cross-site"], true),
            (&all, &["host: evil.example", BROWSER], false),
            (
                &["--public-url", "https://queues.example"],
                &["origin: https://queues.example", "host: squab:4566"],
                true,
            ),
        ] {
            assert_eq!(decide(arguments, CALL, head).is_ok(), passes, "{arguments:?} {head:?}");
        }
    }

    #[test]
    fn a_rejection_names_the_setting() {
        let said = |arguments: &[&str], rejection: &Rejection| {
            BrowserRules::new(&settings(arguments, &[])).sentence(rejection)
        };
        let page = Rejection::Page("https://evil.example".to_owned());
        let own = said(&[], &page);
        assert!(own.contains("(https://evil.example)"), "{own}");
        assert!(own.ends_with("--cors-allowed-origins (SQUAB_CORS_ALLOWED_ORIGINS)."), "{own}");
        let theirs = said(&["--compat", "localstack"], &page);
        assert!(theirs.contains("EXTRA_CORS_ALLOWED_ORIGINS"), "{theirs}");
        assert!(said(&[], &Rejection::Host("h".to_owned())).contains("--allowed-hosts"));
        assert!(said(&[], &Rejection::Unknown).contains("--cors-allowed-origins"));
    }
}
