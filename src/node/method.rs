//! Godot's request methods.

/// The request method: Godot's `HTTPClient.Method`, with the same names, order and numbers. Pass any other
/// method as an [`http::Method`]. Godot's set is closed, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Method {
    /// RFC 9110 §9.3.1
    Get = 0,
    /// RFC 9110 §9.3.2
    Head = 1,
    /// RFC 9110 §9.3.3
    Post = 2,
    /// RFC 9110 §9.3.4
    Put = 3,
    /// RFC 9110 §9.3.5
    Delete = 4,
    /// RFC 9110 §9.3.7
    Options = 5,
    /// RFC 9110 §9.3.8
    Trace = 6,
    /// RFC 9110 §9.3.6
    Connect = 7,
    /// RFC 5789
    Patch = 8,
}

impl Method {
    /// Every method, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Options,
        Self::Trace,
        Self::Connect,
        Self::Patch,
    ];

    /// The number of methods (Godot's `METHOD_MAX`).
    pub const MAX: u8 = 9;
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Delete => Self::DELETE,
            Method::Options => Self::OPTIONS,
            Method::Trace => Self::TRACE,
            Method::Connect => Self::CONNECT,
            Method::Patch => Self::PATCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_godots() {
        let names = [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH",
        ];
        for (number, (method, name)) in Method::ALL.into_iter().zip(names).enumerate() {
            assert_eq!(method as usize, number);
            assert_eq!(http::Method::from(method).as_str(), name);
        }
        assert_eq!(usize::from(Method::MAX), Method::ALL.len());
    }
}
