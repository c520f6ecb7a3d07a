//! Names, addresses, ARNs and URLs of queues.
//!
//! A [`QueueAddress`] identifies a queue, which may not exist. Parsing is lenient: the URLs of other servers
//! and of AWS identify the same queue as ours, so that configuration survives a change of server. The
//! caller's account and region complete a URL without them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::arn::Arn;
use super::limits::QUEUE_NAME_LENGTH;
use super::{Kind, Refusal};

/// Bytes of an address that an error quotes.
const LONGEST_SHOWN: usize = 1_024;

/// The suffix of a FIFO queue's name.
pub const FIFO_SUFFIX: &str = ".fifo";

/// A valid queue name: 1 to 80 characters of `A-Za-z0-9_-`; for a FIFO queue including the suffix `.fifo`.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(String);

impl QueueName {
    /// Checks the name given to CreateQueue; `fifo` is the attribute FifoQueue.
    pub fn new(name: &str, fifo: bool) -> Result<Self, Refusal> {
        if is_queue_name(name, fifo) { Ok(Self(name.to_owned())) } else { Err(bad_name(fifo)) }
    }

    /// Returns whether the name is that of a FIFO queue.
    pub fn is_fifo(&self) -> bool {
        has_fifo_suffix(&self.0)
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a name ends with `.fifo`.
pub fn has_fifo_suffix(name: &str) -> bool {
    name.ends_with(FIFO_SUFFIX)
}

// Rule (CreateQueue): a bad name is InvalidParameterValue, "Can only include alphanumeric characters, hyphens, or
//   underscores. 1 to 80 in length"; so is a name with .fifo without FifoQueue.
// Source: reported, boto/botocore#3058
// Test: src/domain/address.rs::names_are_checked_by_type_of_queue
//
// Rule (CreateQueue): a bad name with FifoQueue is InvalidParameterValue, "The name of a FIFO queue can only include
//   alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
// Source: reported, mapbox/cloudfriend#94
// Test: src/domain/address.rs::names_are_checked_by_type_of_queue

/// Returns the error for a name that does not fit the type of the queue to create.
pub(super) fn bad_name(fifo: bool) -> Refusal {
    Refusal::invalid(if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
         underscores, must end with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    })
}

fn is_queue_name(name: &str, fifo: bool) -> bool {
    let stem = if fifo { name.strip_suffix(FIFO_SUFFIX) } else { Some(name) };
    QUEUE_NAME_LENGTH.contains(&name.len())
        && stem.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(is_name_byte))
}

/// Returns whether a byte is allowed in the name of a queue, a batch entry's Id or a permission's label.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The address of a queue: its account, region and name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct QueueAddress {
    /// The twelve digits of the owner's account.
    pub account: String,
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The queue's name, `.fifo` included.
    pub name: String,
}

impl QueueAddress {
    /// `arn:<partition>:sqs:<region>:<account>:<name>`
    pub fn arn(&self) -> String {
        let Self { account, region, name } = self;
        format!("arn:{}:sqs:{region}:{account}:{name}", partition(region))
    }

    /// The queue that an ARN names; none when it is not the ARN of a queue.
    pub fn from_arn(arn: &str) -> Option<Self> {
        let Arn { partition, service, region, account, resource } = Arn::parse(arn)?;
        let is_queue = partition.starts_with("aws")
            && service == "sqs"
            && !region.is_empty()
            && is_account(account)
            && !resource.is_empty()
            && !resource.contains(':');
        is_queue.then(|| Self {
            account: account.to_owned(),
            region: region.to_owned(),
            name: resource.to_owned(),
        })
    }

    // Rule (every SQS operation): the path of a QueueUrl identifies the queue, by an account and a name at its
    //   end, whatever the host.
    // Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
    // Test: tests/scenarios/addresses.txt#Every form of a queue's URL names the queue
    //
    // Rule (every SQS operation): account and name without a leading slash are a valid QueueUrl.
    // Source: inferred, tests that other projects run against AWS
    // Test: tests/scenarios/addresses.txt#Account and name are enough
    //
    /// Returns the queue that a QueueUrl names for a caller with this account and region: a URL with any
    /// host, its path, or a bare name. Returns `None` if it contains no account and name.
    pub fn from_url(queue_url: &str, account: &str, region: &str) -> Option<Self> {
        match queue_url.split_once("://") {
            Some((scheme, rest)) if is_http(scheme) => {
                let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (host, path) = rest.split_at(host_end);
                Self::from_path(path, account, region_of_host(host).unwrap_or(region))
            }
            Some(_) => None,
            None => Self::from_path(queue_url, account, region),
        }
    }

    /// Returns the queue that the path of a URL names for a caller with this account and region, or `None`
    /// if it is not the path of a queue.
    ///
    /// The paths are `/<account>/<name>` and `/queue/<region>/<account>/<name>`, both also after a context
    /// path, `/queue/<name>` and `/<name>`. The leading slash is optional. AWS's own examples have a
    /// trailing slash.
    pub fn from_path(path: &str, account: &str, region: &str) -> Option<Self> {
        match QueuePath::read(path)? {
            QueuePath::Full { region: None, account, name } => from_segments(account, region, name),
            QueuePath::Full { region: Some(region), account, name } => {
                from_segments(account, region, name)
            }
            QueuePath::Own(name) => from_segments(account, region, name),
            QueuePath::Bare(name) => from_bare_name(name, account, region),
        }
    }

    /// Returns whether a path is certainly that of a queue. A path of one segment is ambiguous: it is the
    /// bare name of a queue or the path of an endpoint.
    pub fn is_path_of_queue(path: &str) -> bool {
        let is_bare = matches!(QueuePath::read(path), Some(QueuePath::Bare(_)) | None);
        !is_bare && Self::from_path(path, "", "-").is_some()
    }

    /// Returns whether the name is that of a FIFO queue.
    pub fn is_fifo(&self) -> bool {
        has_fifo_suffix(&self.name)
    }

    /// Returns the URL of this queue at a server whose URL is `base`, without a trailing slash.
    pub fn url(&self, base: &str, form: UrlForm) -> String {
        let Self { account, region, name } = self;
        let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
        match form {
            UrlForm::Plain => format!("{base}/{account}/{name}"),
            UrlForm::Standard => format!("{scheme}://sqs.{region}.{host}/{account}/{name}"),
            UrlForm::Domain if region == "us-east-1" => {
                format!("{scheme}://queue.{host}/{account}/{name}")
            }
            UrlForm::Domain => format!("{scheme}://{region}.queue.{host}/{account}/{name}"),
            UrlForm::Path => format!("{base}/queue/{region}/{account}/{name}"),
        }
    }
}

/// The parts of the path of a queue's URL, not yet decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueuePath<'p> {
    /// `/<account>/<name>`, `/queue/<region>/<account>/<name>`
    Full { region: Option<&'p str>, account: &'p str, name: &'p str },
    /// `/queue/<name>`
    Own(&'p str),
    /// `/<name>`
    Bare(&'p str),
}

impl<'p> QueuePath<'p> {
    fn read(path: &'p str) -> Option<Self> {
        let path = path.find(['?', '#']).map_or(path, |end| &path[..end]);
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').filter(|path| path.contains('/')).unwrap_or(path);
        // The segments before account and name are the context path of an endpoint.
        let mut segments = path.rsplit('/');
        let name = segments.next()?;
        match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => Some(Self::Bare(name)),
            (Some(account), Some(region), Some("queue")) if is_account(account) => {
                Some(Self::Full { region: Some(region), account, name })
            }
            (Some(account), ..) if is_account(account) => {
                Some(Self::Full { region: None, account, name })
            }
            (Some("queue"), None, _) => Some(Self::Own(name)),
            _ => None,
        }
    }
}

/// Returns the error for an address that is not that of a queue.
///
/// AWS returns it for AWS Query requests to the service's own URL, and LocalStack's developer endpoints
/// for a QueueUrl that names no queue.
pub fn invalid_address(address: &str) -> Refusal {
    // A large request must not cause a large response.
    let address = &address[..address.floor_char_boundary(LONGEST_SHOWN)];
    let message = format!("The address {address} is not valid for this endpoint.");
    Refusal::new(Kind::InvalidAddress, message)
}

/// The form of generated queue URLs. All forms are accepted as input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UrlForm {
    /// `http://<host>/<account>/<name>`
    #[default]
    Plain,
    /// `http://sqs.<region>.<host>/<account>/<name>`
    Standard,
    /// `http://<region>.queue.<host>/<account>/<name>`, in us-east-1 without the region
    Domain,
    /// `http://<host>/queue/<region>/<account>/<name>`
    Path,
}

/// Returns the partition of a region.
pub fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// Returns whether a text is an account: twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Returns the queue of a bare name, if that is a valid queue name: nothing else shows that it names one.
fn from_bare_name(name: &str, account: &str, region: &str) -> Option<QueueAddress> {
    let looks_right = is_queue_name(name, has_fifo_suffix(name));
    looks_right.then(|| QueueAddress {
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
    })
}

fn from_segments(account: &str, region: &str, name: &str) -> Option<QueueAddress> {
    let (region, name) = (decoded(region)?, decoded(name)?);
    (!region.is_empty() && !name.is_empty()).then(|| QueueAddress {
        account: account.to_owned(),
        region: region.into_owned(),
        name: name.into_owned(),
    })
}

fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

/// Returns the region in a host name: `<region>.…`, `sqs.<region>.…` with any prefix, and `queue.…`, which
/// is us-east-1 in the domains of AWS and LocalStack only, because a container or a Kubernetes service
/// may also be called `queue`.
pub fn region_of_host(host: &str) -> Option<&str> {
    let mut previous = None;
    for label in host.split('.') {
        let may_be_region = matches!(previous, None | Some("sqs" | "sqs-fips"));
        if may_be_region && looks_like_region(label) {
            return Some(label);
        }
        previous = Some(label);
    }
    let domain = host.strip_prefix("queue.")?;
    let domain = domain.split_once(':').map_or(domain, |(domain, _port)| domain);
    matches!(domain, "amazonaws.com" | "localhost.localstack.cloud").then_some("us-east-1")
}

/// Returns whether a text has the form of AWS's regions: `us-east-1`, `us-gov-west-1`, `ap-southeast-2`.
fn looks_like_region(label: &str) -> bool {
    let Some((place, number)) = label.rsplit_once('-') else { return false };
    let mut words = place.split('-');
    let continent = words.next().unwrap_or_default();
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    matches!(number.len(), 1 | 2)
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(continent.len(), 2..=4)
        && is_word(continent)
        && matches!(words.clone().count(), 1 | 2)
        && words.all(is_word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(account: &str, region: &str, name: &str) -> QueueAddress {
        QueueAddress { account: account.into(), region: region.into(), name: name.into() }
    }

    /// Parses a QueueUrl for a caller of account 000000000000 in eu-west-1.
    fn from_url(url: &str) -> Option<QueueAddress> {
        QueueAddress::from_url(url, "000000000000", "eu-west-1")
    }

    #[test]
    fn names_are_checked_by_type_of_queue() {
        let standard =
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        let fifo = "The name of a FIFO queue can only include alphanumeric characters, hyphens, \
                    or underscores, must end with .fifo suffix and be 1 to 80 in length.";
        for name in ["q", "A-z_09", &"a".repeat(80)] {
            assert!(!QueueName::new(name, false).unwrap().is_fifo(), "{name}");
        }
        for name in ["q.fifo", &format!("{}.fifo", "a".repeat(75))] {
            assert!(QueueName::new(name, true).unwrap().is_fifo(), "{name}");
        }
        for name in ["", "a b", "a.b", "q.fifo", "ü", &"a".repeat(81)] {
            assert_eq!(QueueName::new(name, false).unwrap_err().message, standard, "{name}");
        }
        for name in ["", "q", ".fifo", "a.b.fifo", "q.FIFO", &format!("{}.fifo", "a".repeat(76))] {
            assert_eq!(QueueName::new(name, true).unwrap_err().message, fifo, "{name}");
        }
    }

    #[test]
    fn every_known_form_of_url_is_read() {
        let usual = address("123456789012", "eu-west-1", "q");
        let elsewhere = address("123456789012", "ap-southeast-2", "q");
        let virginia = address("123456789012", "us-east-1", "q");
        let own = address("000000000000", "eu-west-1", "q");
        for (url, expected) in [
            ("http://localhost:4566/123456789012/q", &usual),
            ("https://127.0.0.1/123456789012/q", &usual),
            ("HTTP://[::1]:4566/123456789012/q", &usual),
            ("http://localhost:4566/123456789012/q?Action=SendMessage", &usual),
            ("http://localhost:4566/123456789012/q/", &usual),
            ("http://localhost:4566/123456789012/q/?Action=SendMessage", &usual),
            ("http://localhost:4566/context/123456789012/q", &usual),
            ("http://localhost:4566/a/longer/context/123456789012/q", &usual),
            ("http://localhost:4566//123456789012/q", &usual),
            ("123456789012/q", &usual),
            ("localhost:4566/123456789012/q", &usual),
            ("http://queue:4566/123456789012/q", &usual),
            ("http://queue.default.svc.cluster.local/123456789012/q", &usual),
            ("http://sqs.default.svc.cluster.local/123456789012/q", &usual),
            ("/123456789012/q", &usual),
            ("https://sqs.ap-southeast-2.amazonaws.com/123456789012/q", &elsewhere),
            ("https://sqs-fips.ap-southeast-2.amazonaws.com/123456789012/q", &elsewhere),
            ("https://x.sqs.ap-southeast-2.vpce.amazonaws.com/123456789012/q", &elsewhere),
            (
                "http://sqs.ap-southeast-2.localhost.localstack.cloud:4566/123456789012/q",
                &elsewhere,
            ),
            (
                "http://ap-southeast-2.queue.localhost.localstack.cloud:4566/123456789012/q",
                &elsewhere,
            ),
            ("http://ap-southeast-2.goaws.com:4100/123456789012/q", &elsewhere),
            ("http://localhost:4566/queue/ap-southeast-2/123456789012/q", &elsewhere),
            ("/queue/ap-southeast-2/123456789012/q", &elsewhere),
            ("/context/queue/ap-southeast-2/123456789012/q", &elsewhere),
            ("https://queue.amazonaws.com/123456789012/q", &virginia),
            ("http://queue.localhost.localstack.cloud:4566/123456789012/q", &virginia),
            ("http://localhost:9324/queue/q", &own),
            ("http://localhost:9324/q", &own),
            ("/queue/q", &own),
            ("/q", &own),
            ("q", &own),
        ] {
            assert_eq!(from_url(url).as_ref(), Some(expected), "{url}");
        }
        assert_eq!(from_url("q.fifo").unwrap().name, "q.fifo");
        assert_eq!(from_url("http://h/123456789012/a%20b%C3%BC").unwrap().name, "a bü");
    }

    #[test]
    fn other_texts_are_no_address_of_a_queue() {
        for url in [
            "",
            "http://nowhere",
            "http://localhost:4566",
            "http://localhost:4566/",
            "http://localhost:4566//",
            "http://localhost:4566/context/",
            "http://localhost:4566/123456789012/",
            "http://localhost:4566/123456789012/q//",
            "http://localhost:4566/12345678901/q",
            "http://localhost:4566/123456789012//",
            "http://localhost:4566/a/b/c/d/e",
            "http://x/y/z/w/v",
            "http://localhost:4566/123456789012/%ff",
            "ftp://localhost/123456789012/q",
            "not a queue",
            "/",
        ] {
            assert_eq!(from_url(url), None, "{url}");
        }
    }

    #[test]
    fn paths_of_queues_are_told_from_those_of_endpoints() {
        for path in [
            "/123456789012/q",
            "/123456789012/q/",
            "/context/123456789012/q",
            "/queue/eu-west-1/123456789012/q",
            "/queue/q",
        ] {
            assert!(QueueAddress::is_path_of_queue(path), "{path}");
        }
        for path in ["", "/", "//", "/context", "/context/", "/a/b", "/a/b/", "/123456789012/"] {
            assert!(!QueueAddress::is_path_of_queue(path), "{path}");
        }
    }

    #[test]
    fn arns_are_of_their_partition() {
        for (region, arn) in [
            ("eu-west-1", "arn:aws:sqs:eu-west-1:123456789012:q"),
            ("cn-north-1", "arn:aws-cn:sqs:cn-north-1:123456789012:q"),
            ("us-gov-west-1", "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q"),
        ] {
            let queue = address("123456789012", region, "q");
            assert_eq!(queue.arn(), arn);
            assert_eq!(QueueAddress::from_arn(arn), Some(queue));
        }
        for arn in [
            "",
            "arn:aws:sns:eu-west-1:123456789012:q",
            "arn:aws:sqs:eu-west-1:123456789012:",
            "arn:aws:sqs:eu-west-1:123456789012",
            "arn:aws:sqs:eu-west-1:123456789012:q:r",
            "arn:aws:sqs::123456789012:q",
            "arn:aws:sqs:eu-west-1:me:q",
            "http://localhost/123456789012/q",
        ] {
            assert_eq!(QueueAddress::from_arn(arn), None, "{arn}");
        }
    }

    proptest! {
        #[test]
        fn a_queue_is_found_at_its_own_url(
            account in "[0-9]{12}",
            name in "[A-Za-z0-9_-]{1,75}(\\.fifo)?",
            region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
            host in "(localhost|10\\.0\\.0\\.7|queue\\.svc|sqs)(:[0-9]{4})?",
        ) {
            let queue = address(&account, &region, &name);
            let base = format!("http://{host}");
            let url = queue.url(&base, UrlForm::Plain);
            prop_assert_eq!(QueueAddress::from_url(&url, "x", &region), Some(queue.clone()));
            let aws = format!("https://sqs.{region}.amazonaws.com");
            let url = queue.url(&aws, UrlForm::Plain);
            prop_assert_eq!(QueueAddress::from_url(&url, "x", "y"), Some(queue.clone()));
            prop_assert_eq!(QueueAddress::from_arn(&queue.arn()), Some(queue));
        }

        #[test]
        fn any_text_is_read_or_is_no_address(text in ".*", path in "(/[a-z0-9%.]{0,3}){0,6}") {
            let _ = from_url(&text);
            let _ = from_url(&format!("http://{text}"));
            let _ = from_url(&format!("http://h{path}"));
            let _ = QueueAddress::from_arn(&text);
            let _ = QueueName::new(&text, true);
        }
    }
}
