//! Web addresses, taken apart into what a request needs.

use url::Url;

use crate::bindings::FetchError;
use crate::bindings::wasi::http::types::Scheme;

/// Where a request goes.
#[derive(Debug)]
pub struct Address {
    pub scheme: Scheme,
    /// The host in its normal form, with the port where it is not the scheme's own.
    pub authority: String,
    pub path_with_query: String,
}

impl Address {
    /// Reads an address by the rules of the WHATWG URL standard, as browsers do. A fragment is
    /// dropped, since it is never sent. Refuses other schemes than http and https, and a user name
    /// or a password, which would end up in logs.
    pub fn parse(text: &str) -> Result<Self, FetchError> {
        // Messages do not repeat the address: it may have a password or a token in it.
        let invalid = |reason: &str| FetchError::InvalidRequest(format!("the url: {reason}"));
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(invalid(&format!("{other} is neither http nor https"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "it has a user name or a password in it; send an Authorization header instead",
            ));
        }
        let host = url.host_str().ok_or_else(|| invalid("it names no host"))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path_with_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            scheme,
            authority,
            path_with_query,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String) {
        let address = Address::parse(text).expect("a good address");
        (address.authority, address.path_with_query)
    }

    #[test]
    fn an_address_is_brought_into_its_normal_form() {
        assert_eq!(
            parts("HTTPS://Example.ORG"),
            ("example.org".into(), "/".into())
        );
        assert_eq!(
            parts("https://example.org:443/a?b=c#d"),
            ("example.org".into(), "/a?b=c".into())
        );
        assert_eq!(
            parts("http://example.org:8080/a b?ü"),
            ("example.org:8080".into(), "/a%20b?%C3%BC".into())
        );
        assert_eq!(
            parts("https://bücher.example/"),
            ("xn--bcher-kva.example".into(), "/".into())
        );
        assert_eq!(parts("http://[::1]:80/"), ("[::1]".into(), "/".into()));
        assert_eq!(parts("http://0x7f.1/"), ("127.0.0.1".into(), "/".into()));
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for text in [
            "",
            "example.org",
            "/path",
            "ftp://example.org/",
            "https://",
            "https://a b/",
            "file:///x",
        ] {
            assert!(
                matches!(Address::parse(text), Err(FetchError::InvalidRequest(_))),
                "{text:?} has to be refused"
            );
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let Err(FetchError::InvalidRequest(message)) =
            Address::parse("https://me:hunter2@example.org/")
        else {
            panic!("a password in an address has to be refused");
        };
        assert!(!message.contains("hunter2"));
    }
}
