//! The many ways in which `wasi:http` fails, sorted into the few that a caller acts upon.

use crate::bindings::FetchError;
use crate::bindings::wasi::http::types::{ErrorCode, HeaderError};

/// Says why a request for `target`, such as `GET https://example.org/`, failed.
pub fn of_request(code: &ErrorCode, target: &str) -> FetchError {
    let (kind, reason): (fn(String) -> FetchError, &str) = match code {
        ErrorCode::HttpRequestDenied => (
            FetchError::Denied,
            "the sandbox does not allow this request",
        ),
        ErrorCode::DestinationIpProhibited => (
            FetchError::Denied,
            "the sandbox does not allow the address of this host",
        ),

        ErrorCode::DnsTimeout => (FetchError::Dns, "the look-up of the name took too long"),
        ErrorCode::DnsError(_) => (FetchError::Dns, "the name of the host was not found"),

        ErrorCode::DestinationNotFound => (FetchError::Connection, "there is no such host"),
        ErrorCode::DestinationUnavailable => (FetchError::Connection, "the host cannot be reached"),
        ErrorCode::DestinationIpUnroutable => {
            (FetchError::Connection, "there is no route to the host")
        }
        ErrorCode::ConnectionRefused => (FetchError::Connection, "the host refused the connection"),
        ErrorCode::ConnectionTerminated => (FetchError::Connection, "the connection broke"),
        ErrorCode::ConnectionLimitReached => (
            FetchError::Connection,
            "there are too many connections already",
        ),

        ErrorCode::TlsProtocolError => {
            (FetchError::Tls, "the host does not speak TLS as it should")
        }
        ErrorCode::TlsCertificateError => {
            (FetchError::Tls, "the certificate of the host is not valid")
        }
        ErrorCode::TlsAlertReceived(alert) => (
            FetchError::Tls,
            alert
                .alert_message
                .as_deref()
                .unwrap_or("the host ended the secure connection"),
        ),

        ErrorCode::ConnectionTimeout => (FetchError::Timeout, "no connection in time"),
        ErrorCode::ConnectionReadTimeout => (FetchError::Timeout, "the host fell silent"),
        ErrorCode::ConnectionWriteTimeout => {
            (FetchError::Timeout, "the host stopped taking what was sent")
        }
        ErrorCode::HttpResponseTimeout => (FetchError::Timeout, "no answer in time"),

        ErrorCode::HttpProtocolError => (FetchError::Protocol, "the answer is not correct HTTP"),
        ErrorCode::HttpResponseIncomplete => (FetchError::Protocol, "the answer ended too early"),
        ErrorCode::HttpResponseTransferCoding(_) | ErrorCode::HttpResponseContentCoding(_) => (
            FetchError::Protocol,
            "the answer is in an encoding that is not known",
        ),
        ErrorCode::HttpUpgradeFailed => (
            FetchError::Protocol,
            "the host and the sandbox could not agree on a protocol",
        ),
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => (
            FetchError::Protocol,
            "the answer is larger than the sandbox allows",
        ),

        ErrorCode::HttpRequestMethodInvalid => {
            (FetchError::InvalidRequest, "the method is not valid")
        }
        ErrorCode::HttpRequestUriInvalid => (FetchError::InvalidRequest, "the url is not valid"),
        ErrorCode::HttpRequestUriTooLong => (FetchError::InvalidRequest, "the url is too long"),
        ErrorCode::HttpRequestLengthRequired => {
            (FetchError::InvalidRequest, "the body needs a length")
        }
        ErrorCode::HttpRequestBodySize(_) => (
            FetchError::InvalidRequest,
            "the body is larger than the sandbox allows",
        ),
        ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => (
            FetchError::InvalidRequest,
            "the headers are larger than the sandbox allows",
        ),

        ErrorCode::LoopDetected => (FetchError::Other, "the request came back to its sender"),
        ErrorCode::ConfigurationError => (FetchError::Other, "the sandbox is not set up for this"),
        ErrorCode::InternalError(reason) => (
            FetchError::Other,
            reason.as_deref().unwrap_or("an error within the sandbox"),
        ),
    };
    kind(format!("{target}: {reason}"))
}

/// Says why the header called `name` cannot be sent. Its value is not repeated: it may be a secret.
pub fn of_header(error: HeaderError, name: &str) -> FetchError {
    let reason = match error {
        HeaderError::InvalidSyntax => "its name or its value has characters that HTTP forbids",
        HeaderError::Forbidden => "the sandbox alone sets it",
        HeaderError::Immutable => "the headers are fixed already",
    };
    FetchError::InvalidRequest(format!("the header {name:?} cannot be sent: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_and_name_the_request() {
        let sort = |code| of_request(&code, "GET https://example.org/");
        assert!(matches!(
            sort(ErrorCode::HttpRequestDenied),
            FetchError::Denied(_)
        ));
        assert!(matches!(sort(ErrorCode::DnsTimeout), FetchError::Dns(_)));
        assert!(matches!(
            sort(ErrorCode::ConnectionRefused),
            FetchError::Connection(_)
        ));
        assert!(matches!(
            sort(ErrorCode::TlsCertificateError),
            FetchError::Tls(_)
        ));
        assert!(matches!(
            sort(ErrorCode::ConnectionTimeout),
            FetchError::Timeout(_)
        ));
        assert!(matches!(
            sort(ErrorCode::HttpProtocolError),
            FetchError::Protocol(_)
        ));
        let FetchError::Other(message) = sort(ErrorCode::InternalError(Some("no luck".into())))
        else {
            panic!("an internal error belongs to none of the others");
        };
        assert_eq!(message, "GET https://example.org/: no luck");
    }
}
