//! Files that the player picked, as content and as parts of forms. They stay with the browser.

use std::io::{self, Read};
use std::rc::Rc;

use httpoll::multipart::{Form, Part};
use httpoll::page::PageFile;
use httpoll::{Event, Request, RetryPolicy};
use js_sys::{Array, Uint8Array};
use web_sys::{Blob, BlobPropertyBag, File, FilePropertyBag};

use crate::harness::{Env, Outcome, fetch, key};
use crate::{cases, holds, same};

cases![
    a_file_of_the_page_is_content,
    a_file_of_the_page_is_sent_again,
    a_file_of_the_page_has_a_name_and_a_type,
    a_form_with_a_file_of_the_page_is_sent_in_order,
    a_form_with_a_blob_and_a_reader_is_sent,
    a_form_with_a_file_of_the_page_is_sent_again,
    a_large_file_of_the_page_is_not_copied_into_memory,
];

fn of_js<T>(result: Result<T, wasm_bindgen::JsValue>) -> Result<T, String> {
    result.map_err(|error| format!("{error:?}"))
}

/// A `Blob` without a name.
fn blob(text: &str) -> Result<PageFile, String> {
    let options = BlobPropertyBag::new();
    options.set_type("text/x-save");
    let parts = Array::of1(&text.into());
    let blob = Blob::new_with_str_sequence_and_options(&parts, &options);
    Ok(PageFile::new(&of_js(blob)?))
}

/// What a file input gives.
fn picked(name: &str, content_type: &str, text: &str) -> Result<PageFile, String> {
    let options = FilePropertyBag::new();
    options.set_type(content_type);
    let parts = Array::of1(&text.into());
    let file = of_js(File::new_with_str_sequence_and_options(
        &parts, name, &options,
    ))?;
    Ok(PageFile::new(&file))
}

async fn a_file_of_the_page_is_content(_: Rc<Env>) -> Outcome {
    let file = blob("saved game")?;
    same!(file.length(), 10);
    let echo = fetch(Request::put("/echo").body(file)).await?.json()?;
    same!(echo["text"], "saved game");
    same!(echo["headers"]["content-type"], "text/x-save");
    same!(echo["headers"]["content-length"], "10");
    Ok(())
}

fn repeatable() -> RetryPolicy {
    let mut retries = RetryPolicy::standard();
    retries.non_idempotent = true;
    retries
}

async fn a_file_of_the_page_is_sent_again(_: Rc<Env>) -> Outcome {
    let request = Request::post(format!("/flaky?fails=1&key={}", key("page-file")))
        .body(blob("saved game")?)
        .retries(repeatable());
    same!(fetch(request).await?.text()?, "after 2");
    Ok(())
}

async fn a_file_of_the_page_has_a_name_and_a_type(_: Rc<Env>) -> Outcome {
    let file = picked("level 1.map", "application/x-map", "content")?;
    same!(file.name(), Some("level 1.map"));
    same!(file.content_type(), "application/x-map");
    same!(blob("content")?.name(), None);
    Ok(())
}

/// The form as it arrived, with `boundary` for its boundary.
async fn form_as_sent(form: Form) -> Result<String, String> {
    let echo = fetch(Request::post("/echo").multipart(form))
        .await?
        .json()?;
    let kind = echo["headers"]["content-type"].as_str().unwrap_or_default();
    let boundary = kind
        .strip_prefix("multipart/form-data; boundary=")
        .ok_or_else(|| format!("the content type is {kind}"))?;
    let text = echo["text"].as_str().unwrap_or_default();
    same_length(&echo)?;
    Ok(text.replace(boundary, "boundary"))
}

fn same_length(echo: &serde_json::Value) -> Outcome {
    let announced = echo["headers"]["content-length"].as_str();
    same!(announced, Some(&*echo["length"].to_string()));
    Ok(())
}

async fn a_form_with_a_file_of_the_page_is_sent_in_order(_: Rc<Env>) -> Outcome {
    let form = Form::new()
        .text("player", "Ada")
        .page_file(
            "replay",
            &picked("run.rec", "application/x-rec", "<replay>")?,
        )
        .page_file("map", &picked("level.png", "", "<map>")?)
        .text("after", "1");
    same!(
        form_as_sent(form).await?,
        "--boundary\r\n\
         Content-Disposition: form-data; name=\"player\"\r\n\r\nAda\r\n\
         --boundary\r\n\
         Content-Disposition: form-data; name=\"replay\"; filename=\"run.rec\"\r\n\
         Content-Type: application/x-rec\r\n\r\n<replay>\r\n\
         --boundary\r\n\
         Content-Disposition: form-data; name=\"map\"; filename=\"level.png\"\r\n\
         Content-Type: image/png\r\n\r\n<map>\r\n\
         --boundary\r\n\
         Content-Disposition: form-data; name=\"after\"\r\n\r\n1\r\n\
         --boundary--\r\n"
    );
    Ok(())
}

/// A reader that has nothing yet in every second call.
struct Hesitant(&'static [u8], bool);

impl Read for Hesitant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = buffer.len().min(3);
        self.0.read(&mut buffer[..most])
    }
}

async fn a_form_with_a_blob_and_a_reader_is_sent(_: Rc<Env>) -> Outcome {
    let reader = || Hesitant(b"read in pieces", false);
    for length in [None, Some(14)] {
        let form = Form::new()
            .reader("log", "log.txt", reader(), length)
            .page_file("save", &blob("saved")?)
            .part(
                "named",
                Part::page_file(&blob("again")?).filename("again.save"),
            );
        same!(
            form_as_sent(form).await?,
            "--boundary\r\n\
             Content-Disposition: form-data; name=\"log\"; filename=\"log.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nread in pieces\r\n\
             --boundary\r\n\
             Content-Disposition: form-data; name=\"save\"; filename=\"blob\"\r\n\
             Content-Type: text/x-save\r\n\r\nsaved\r\n\
             --boundary\r\n\
             Content-Disposition: form-data; name=\"named\"; filename=\"again.save\"\r\n\
             Content-Type: text/x-save\r\n\r\nagain\r\n\
             --boundary--\r\n"
        );
    }
    Ok(())
}

async fn a_form_with_a_file_of_the_page_is_sent_again(_: Rc<Env>) -> Outcome {
    let form = Form::new().page_file("save", &blob("saved game")?);
    let request = Request::post(format!("/flaky?fails=1&key={}", key("form")))
        .multipart(form)
        .retries(repeatable());
    same!(fetch(request).await?.text()?, "after 2");
    Ok(())
}

/// The bytes of the program's memory.
fn memory() -> Result<u32, String> {
    let buffer = js_sys::Reflect::get(&wasm_bindgen::memory(), &"buffer".into());
    let length = js_sys::Reflect::get(&of_js(buffer)?, &"byteLength".into());
    of_js(length)?
        .as_f64()
        .map(|length| length as u32)
        .ok_or_else(|| "no length".to_owned())
}

async fn a_large_file_of_the_page_is_not_copied_into_memory(_: Rc<Env>) -> Outcome {
    const BYTES: u32 = 64 * 1024 * 1024;
    let content = Uint8Array::new_with_length(BYTES);
    let made = Blob::new_with_u8_array_sequence(&Array::of1(&content));
    let file = PageFile::new(&of_js(made)?);
    let before = memory()?;
    let form = Form::new().text("player", "Ada").page_file("pack", &file);
    for request in [
        Request::put("/echo").body(file),
        Request::post("/echo").multipart(form),
    ] {
        let ended = fetch(request).await?;
        let echo = ended.json()?;
        same_length(&echo)?;
        let length = echo["length"].as_u64().unwrap_or_default();
        holds!(length >= u64::from(BYTES), "{length}");
        same!(ended.response()?.transferred().sent, length);
        let whole = ended.events.iter().find_map(|event| match event {
            Event::Progress { progress, .. } => Some(progress.to_send),
            _ => None,
        });
        same!(whole, Some(Some(length)));
    }
    let grown = memory()? - before;
    holds!(grown < BYTES / 16, "the memory has grown by {grown} bytes");
    Ok(())
}
