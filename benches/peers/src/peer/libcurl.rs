//! libcurl's multi interface, polled. In a frame it goes on while sockets are ready and the budget
//! lasts, unless the row says once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use curl::easy::{Easy2, Handler, HttpVersion, SslVersion, WriteError};
use curl::multi::{Easy2Handle, Multi};

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;
use crate::measure::c;

pub struct Curl {
    multi: Multi,
    running: Vec<Option<Easy2Handle<Answer>>>,
    vacant: Vec<usize>,
    spare: Vec<Easy2<Answer>>,
    ended: VecDeque<usize>,
    setup: Setup,
    buffer: Option<usize>,
    once: bool,
    kept: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Answer {
    keeps: bool,
    bytes: u64,
    content: Vec<u8>,
}

impl Handler for Answer {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.bytes += data.len() as u64;
        if self.keeps {
            self.content.extend_from_slice(data);
        }
        Ok(data.len())
    }
}

unsafe extern "C" {
    fn curl_global_init_mem(
        flags: std::ffi::c_long,
        malloc: extern "C" fn(usize) -> *mut std::ffi::c_void,
        free: extern "C" fn(*mut std::ffi::c_void),
        realloc: extern "C" fn(*mut std::ffi::c_void, usize) -> *mut std::ffi::c_void,
        strdup: extern "C" fn(*const std::ffi::c_char) -> *mut std::ffi::c_char,
        calloc: extern "C" fn(usize, usize) -> *mut std::ffi::c_void,
    ) -> std::ffi::c_int;
}

const CURL_GLOBAL_ALL: std::ffi::c_long = 3;

impl Curl {
    pub fn new(setup: &Setup, buffer: Option<usize>, once: bool) -> Outcome<Self> {
        // SAFETY: the crate initialised libcurl before `main`; nothing of it is in use yet, and the
        // functions are the allocator's own.
        let code = unsafe {
            curl_sys::curl_global_cleanup();
            curl_global_init_mem(
                CURL_GLOBAL_ALL,
                c::malloc,
                c::free,
                c::realloc,
                c::strdup,
                c::calloc,
            )
        };
        if code != 0 {
            return Err(format!("libcurl does not start: {code}").into());
        }
        let mut multi = Multi::new();
        multi.set_max_host_connections(setup.connections)?;
        multi.set_max_total_connections(setup.connections)?;
        multi.set_max_connects(setup.connections)?;
        Ok(Self {
            multi,
            running: Vec::new(),
            vacant: Vec::new(),
            spare: Vec::new(),
            ended: VecDeque::new(),
            setup: setup.clone(),
            buffer,
            once,
            kept: Vec::new(),
        })
    }

    fn easy(&self) -> Outcome<Easy2<Answer>> {
        let mut easy = Easy2::new(Answer::default());
        easy.signal(false)?;
        easy.http_version(HttpVersion::V11)?;
        easy.ssl_min_max_version(SslVersion::Tlsv13, SslVersion::Tlsv13)?;
        easy.ssl_sessionid_cache(false)?;
        easy.cainfo(&self.setup.authority)?;
        // The crate sets a path, and a path switches libcurl's cache of roots off: 27 ms for each
        // connection with a system's roots.
        // SAFETY: the handle lives, and null is what the option documents for none.
        unsafe {
            curl_sys::curl_easy_setopt(
                easy.raw(),
                curl_sys::CURLOPT_CAPATH,
                std::ptr::null::<std::ffi::c_char>(),
            );
        }
        easy.fail_on_error(true)?;
        if let Some(bytes) = self.buffer {
            easy.buffer_size(bytes)?;
        }
        Ok(easy)
    }

    /// Answers whether anything happened.
    fn perform(&mut self, seen: &mut Seen) -> Outcome<bool> {
        self.multi.perform()?;
        let mut fault = None;
        let (running, ended) = (&self.running, &mut self.ended);
        self.multi.messages(|message| {
            let Ok(at) = message.token() else { return };
            let Some(Some(handle)) = running.get(at) else {
                return;
            };
            match message.result_for2(handle) {
                Some(Ok(())) => ended.push_back(at),
                Some(Err(error)) => fault = Some(error),
                None => {}
            }
        });
        if let Some(error) = fault {
            return Err(error.into());
        }
        let anything = !self.ended.is_empty();
        while let Some(at) = self.ended.pop_front() {
            let Some(handle) = self.running[at].take() else {
                continue;
            };
            let mut easy = self.multi.remove2(handle)?;
            let answer = easy.get_mut();
            seen.done += 1;
            seen.bytes += std::mem::take(&mut answer.bytes);
            if answer.keeps {
                self.kept.push(std::mem::take(&mut answer.content));
            }
            self.spare.push(easy);
            self.vacant.push(at);
        }
        Ok(anything)
    }
}

impl Peer for Curl {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        let mut easy = match self.spare.pop() {
            Some(easy) => easy,
            None => self.easy()?,
        };
        easy.url(&ask.url)?;
        easy.forbid_reuse(ask.closes)?;
        easy.get_mut().keeps = ask.keeps;
        let mut handle = self.multi.add2(easy)?;
        let at = self.vacant.pop().unwrap_or(self.running.len());
        handle.set_token(at)?;
        if at == self.running.len() {
            self.running.push(None);
        }
        self.running[at] = Some(handle);
        Ok(())
    }

    fn poll(&mut self, seen: &mut Seen) -> Outcome<()> {
        let began = Instant::now();
        loop {
            let anything = self.perform(seen)?;
            if self.once || self.setup.budget.is_some_and(|it| began.elapsed() >= it) {
                return Ok(());
            }
            if self.multi.wait(&mut [], Duration::ZERO)? == 0 && !anything {
                return Ok(());
            }
        }
    }

    fn wait(&mut self, seen: &mut Seen) -> Outcome<()> {
        // Sleeping first would sleep over what was only just asked.
        if !self.perform(seen)? {
            self.multi.wait(&mut [], Duration::from_secs(10))?;
            self.perform(seen)?;
        }
        Ok(())
    }

    fn release(&mut self) {
        self.kept.clear();
    }
}
