//! Response codes: Godot's `HTTPClient.ResponseCode` by name, plus 103 and 425 of the IANA registry and
//! three that vendors use (444, 499, 599). The library never sends those three by itself.
//!
//! A code is a plain number, so codes without a name here are accepted, too.

macro_rules! response_codes {
    ($($code:literal $name:ident $reason:literal)*) => {
        $(
            #[doc = concat!("`", $code, " ", $reason, "`")]
            pub const $name: u16 = $code;
        )*

        /// Every code that has a name here, in ascending order.
        pub const ALL: &[u16] = &[$($code),*];

        /// The reason phrase of a code, as the IANA registry spells it (RFC 9110 §15); `None` for a
        /// code without a name here.
        pub const fn reason(code: u16) -> Option<&'static str> {
            match code {
                $($code => Some($reason),)*
                _ => None,
            }
        }
    };
}

response_codes! {
    100 CONTINUE "Continue"
    101 SWITCHING_PROTOCOLS "Switching Protocols"
    102 PROCESSING "Processing"
    103 EARLY_HINTS "Early Hints"
    200 OK "OK"
    201 CREATED "Created"
    202 ACCEPTED "Accepted"
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information"
    204 NO_CONTENT "No Content"
    205 RESET_CONTENT "Reset Content"
    206 PARTIAL_CONTENT "Partial Content"
    207 MULTI_STATUS "Multi-Status"
    208 ALREADY_REPORTED "Already Reported"
    226 IM_USED "IM Used"
    300 MULTIPLE_CHOICES "Multiple Choices"
    301 MOVED_PERMANENTLY "Moved Permanently"
    302 FOUND "Found"
    303 SEE_OTHER "See Other"
    304 NOT_MODIFIED "Not Modified"
    305 USE_PROXY "Use Proxy"
    306 SWITCH_PROXY "Switch Proxy"
    307 TEMPORARY_REDIRECT "Temporary Redirect"
    308 PERMANENT_REDIRECT "Permanent Redirect"
    400 BAD_REQUEST "Bad Request"
    401 UNAUTHORIZED "Unauthorized"
    402 PAYMENT_REQUIRED "Payment Required"
    403 FORBIDDEN "Forbidden"
    404 NOT_FOUND "Not Found"
    405 METHOD_NOT_ALLOWED "Method Not Allowed"
    406 NOT_ACCEPTABLE "Not Acceptable"
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required"
    408 REQUEST_TIMEOUT "Request Timeout"
    409 CONFLICT "Conflict"
    410 GONE "Gone"
    411 LENGTH_REQUIRED "Length Required"
    412 PRECONDITION_FAILED "Precondition Failed"
    413 REQUEST_ENTITY_TOO_LARGE "Content Too Large"
    414 REQUEST_URI_TOO_LONG "URI Too Long"
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type"
    416 REQUESTED_RANGE_NOT_SATISFIABLE "Range Not Satisfiable"
    417 EXPECTATION_FAILED "Expectation Failed"
    418 IM_A_TEAPOT "I'm a teapot"
    421 MISDIRECTED_REQUEST "Misdirected Request"
    422 UNPROCESSABLE_ENTITY "Unprocessable Content"
    423 LOCKED "Locked"
    424 FAILED_DEPENDENCY "Failed Dependency"
    425 TOO_EARLY "Too Early"
    426 UPGRADE_REQUIRED "Upgrade Required"
    428 PRECONDITION_REQUIRED "Precondition Required"
    429 TOO_MANY_REQUESTS "Too Many Requests"
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large"
    444 NO_RESPONSE "No Response"
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons"
    499 CLIENT_CLOSED_REQUEST "Client Closed Request"
    500 INTERNAL_SERVER_ERROR "Internal Server Error"
    501 NOT_IMPLEMENTED "Not Implemented"
    502 BAD_GATEWAY "Bad Gateway"
    503 SERVICE_UNAVAILABLE "Service Unavailable"
    504 GATEWAY_TIMEOUT "Gateway Timeout"
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported"
    506 VARIANT_ALSO_NEGOTIATES "Variant Also Negotiates"
    507 INSUFFICIENT_STORAGE "Insufficient Storage"
    508 LOOP_DETECTED "Loop Detected"
    510 NOT_EXTENDED "Not Extended"
    511 NETWORK_AUTH_REQUIRED "Network Authentication Required"
    599 NETWORK_CONNECT_TIMEOUT "Network Connect Timeout"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_of_the_source_documents_is_there() {
        let ranges = [
            100..=102,
            200..=208,
            226..=226,
            300..=308,
            400..=418,
            421..=424,
            426..=426,
            428..=429,
            431..=431,
            444..=444,
            451..=451,
            499..=499,
            500..=508,
            510..=511,
            599..=599,
        ];
        for code in ranges.into_iter().flatten() {
            assert!(ALL.contains(&code), "{code}");
            assert!(reason(code).is_some(), "{code}");
        }
        assert!(ALL.is_sorted());
        assert_eq!(SWITCH_PROXY, 306);
        assert_eq!(reason(799), None);
    }

    #[test]
    fn reasons_match_the_registry() {
        // RFC 9110 renamed three; the http crate omits the hyphen of the first.
        let renamed = [
            NON_AUTHORITATIVE_INFORMATION,
            REQUEST_ENTITY_TOO_LARGE,
            REQUEST_URI_TOO_LONG,
            UNPROCESSABLE_ENTITY,
        ];
        for code in ALL {
            let known = http::StatusCode::from_u16(*code)
                .ok()
                .and_then(|code| code.canonical_reason());
            if let Some(known) = known
                && !renamed.contains(code)
            {
                assert_eq!(reason(*code), Some(known), "{code}");
            }
        }
    }
}
