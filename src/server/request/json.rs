//! A request as a JSON value, for pages and tools that show what was received.

use serde_json::{Value, json};

use super::Request;

impl Request {
    /// The request as a JSON object: `method`, `path`, `query` (pairs), `params` (pairs), `headers`
    /// (pairs), `cookies` (pairs), `body` (text; bytes that are not UTF-8 become U+FFFD), `form` (pairs)
    /// and `files` (`name`, `filename`, `mime`, `size`). A handler can return it:
    ///
    /// ```
    /// # use httpoll::server::{Request, Server};
    /// # let mut server = Server::bind("127.0.0.1:0")?;
    /// server.route("*", "/echo", |request: &mut Request| request.to_json())?;
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    ///
    /// It holds everything that the client sent, including credentials and cookies.
    pub fn to_json(&mut self) -> Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        if let Ok(form) = self.form() {
            let pair = |(name, value): (&str, &[u8])| json!([name, text(value)]);
            fields.extend(form.fields.iter().map(|it| pair((&it.name, &it.value))));
            files.extend(form.files.iter().map(|file| {
                json!({
                    "name": file.head.name, "filename": file.head.file_name,
                    "mime": file.mime(), "size": file.size,
                })
            }));
        }
        let headers: Vec<_> = self
            .headers()
            .iter()
            .map(|(name, value)| json!([name, text(value)]))
            .collect();
        json!({
            "method": self.method().as_str(),
            "path": self.path(),
            "query": self.query().iter().collect::<Vec<_>>(),
            "params": self.params().collect::<Vec<_>>(),
            "headers": headers,
            "cookies": self.cookies().collect::<Vec<_>>(),
            "body": text(self.body()),
            "form": fields,
            "files": files,
        })
    }
}
