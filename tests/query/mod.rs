//! AWS Query as its clients write it, parameter by parameter, for services without another protocol.

use crate::gateway::{Answer, Element, HOST, Service};
use axum::body::Body;
use hyper::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A service that is called by its version of the API.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    pub version: &'static str,
    pub namespace: &'static str,
}

pub const SNS: Api =
    Api { version: "2010-03-31", namespace: "http://sns.amazonaws.com/doc/2010-03-31/" };
pub const STS: Api =
    Api { version: "2011-06-15", namespace: "https://sts.amazonaws.com/doc/2011-06-15/" };

/// Status, code and message of a refusal.
pub type Refused = (u16, String, String);

impl Api {
    /// The form body that calls an action.
    pub fn form(self, action: &str, parameters: &[(&str, &str)]) -> String {
        let first = [("Action", action), ("Version", self.version)];
        let pairs = first.iter().chain(parameters).map(|(name, value)| {
            format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Calls an action without a signature.
    pub async fn call(
        self,
        service: &Service,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let request = Request::post("/")
            .header("host", HOST)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::from(self.form(action, parameters)))
            .unwrap();
        service.answer(request).await
    }

    /// Calls an action, which must succeed, and returns its result.
    pub async fn ok(self, service: &Service, action: &str, parameters: &[(&str, &str)]) -> Element {
        let answer = self.call(service, action, parameters).await;
        self.result(&answer, action)
    }

    /// Calls an action, which must be refused.
    pub async fn no(self, service: &Service, action: &str, parameters: &[(&str, &str)]) -> Refused {
        let answer = self.call(service, action, parameters).await;
        self.refusal(&answer)
    }

    /// The result in an answer; an empty element if the action has none.
    pub fn result(self, answer: &Answer, action: &str) -> Element {
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "text/xml");
        assert!(answer.text().contains(self.namespace), "{}", answer.text());
        let mut response = Element::parse(answer.text());
        assert_eq!(response.name, format!("{action}Response"));
        assert!(response.child("ResponseMetadata").unwrap().child("RequestId").is_some());
        let wanted = format!("{action}Result");
        let place = response.children.iter().position(|child| child.name == wanted);
        place.map_or_else(Element::default, |place| response.children.swap_remove(place))
    }

    /// The refusal in an answer.
    pub fn refusal(self, answer: &Answer) -> Refused {
        assert_ne!(answer.status, 200, "{}", answer.text());
        // A call that names no operation of the service is refused in another namespace.
        let namespaces = [self.namespace, "http://webservices.amazon.com/AWSFault/2005-15-09"];
        let is_known = namespaces.iter().any(|namespace| answer.text().contains(namespace));
        assert!(is_known, "{}", answer.text());
        let response = Element::parse(answer.text());
        let error = response.child("Error").unwrap();
        let text = |name: &str| error.child(name).unwrap().text.clone();
        (answer.status, text("Code"), text("Message"))
    }
}

/// The text of a child that must be there.
pub fn text<'e>(element: &'e Element, name: &str) -> &'e str {
    &element.child(name).unwrap_or_else(|| panic!("no {name}: {element:?}")).text
}

/// The elements of a list that must be there, empty or not.
pub fn members<'e>(element: &'e Element, name: &str) -> &'e [Element] {
    let list = element.child(name).unwrap_or_else(|| panic!("no {name}: {element:?}"));
    assert!(list.children.iter().all(|child| child.name == "member"), "{list:?}");
    &list.children
}
