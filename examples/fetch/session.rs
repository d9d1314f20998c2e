//! The agent, its cookies and names; all transfers, one after another or at once.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use httpoll::{Agent, agent::PoolLimits, cookies::CookieJar, resolver::Resolver};

use crate::address::Address;
use crate::arguments::usage;
use crate::data;
use crate::exit_status::{Failure, WRITE_ERROR};
use crate::facts::Facts;
use crate::network::{Common, with_family};
use crate::options::{CommandLine, ContinueAt, Group};
use crate::output::Output;
use crate::progress::Bars;
use crate::request;
use crate::transfer::{Start, Transfer};
use crate::verbose;
use crate::write_out::{self, Written};

/// How many transfers run at once with `-Z`.
const PARALLEL: usize = 50;

/// A URL of a group.
#[derive(Clone, Copy, Debug)]
struct Job {
    group: usize,
    url: usize,
}

struct Session {
    line: CommandLine,
    agent: Agent,
    commons: Vec<Option<Common>>,
    jar: Arc<Mutex<CookieJar>>,
    bars: Bars,
    begun: usize,
}

/// Runs all transfers and returns the exit status.
pub(crate) fn run(line: CommandLine) -> Result<u8, Failure> {
    let mut session = Session::new(line)?;
    let status = session.run_all();
    session.save();
    Ok(status)
}

impl Session {
    fn new(line: CommandLine) -> Result<Self, Failure> {
        let jar = Arc::new(Mutex::new(CookieJar::new()));
        let resolver = Resolver::system();
        let mut builder = Agent::builder()
            .resolver(resolver.clone())
            .cookies(Arc::clone(&jar));
        let mut limits = PoolLimits::default();
        limits.total = line.parallel_max.unwrap_or(PARALLEL).max(1);
        limits.per_host = limits.total;
        builder = builder.pool(limits);
        for group in &line.groups {
            load_cookies(group, &jar)?;
            for given in &group.resolve {
                resolve(&resolver, given)?;
            }
            if let Some(path) = &group.hsts {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                builder = builder
                    .load_hsts(&text)
                    .map_err(|error| usage(error.to_string()))?;
            }
        }
        let first = line.groups.first();
        builder = with_family(builder, first.and_then(|group| group.family));
        if let Some(name) = first.and_then(|group| group.user_agent.as_deref()) {
            builder = builder
                .user_agent(name)
                .map_err(|error| Failure::of(&error, false, false))?;
        }
        Ok(Self {
            agent: builder.build(),
            commons: line.groups.iter().map(|_| None).collect(),
            bars: Bars::new(line.silent),
            jar,
            line,
            begun: 0,
        })
    }

    fn run_all(&mut self) -> u8 {
        let mut jobs = Vec::new();
        for (group, options) in self.line.groups.iter().enumerate() {
            jobs.extend((0..options.urls.len()).map(|url| Job { group, url }));
        }
        let at_once = match self.line.parallel {
            true => self.line.parallel_max.unwrap_or(PARALLEL).max(1),
            false => 1,
        };
        let mut jobs = jobs.into_iter();
        let mut running: Vec<Transfer> = Vec::new();
        let mut status = 0;
        loop {
            while running.len() < at_once
                && let Some(job) = jobs.next()
            {
                match self.begin(job) {
                    Ok(transfer) => running.push(transfer),
                    Err((facts, failure)) => {
                        status = failure.status;
                        self.end(
                            job.group,
                            Facts {
                                failure: Some(failure),
                                ..*facts
                            },
                        );
                    }
                }
            }
            if running.is_empty() {
                return status;
            }
            self.turn(&mut running);
            for over in running.extract_if(.., |transfer| transfer.is_over) {
                let of_this = over.facts.failure.as_ref().map_or(0, |it| it.status);
                if !self.line.parallel || of_this != 0 {
                    status = of_this;
                }
                self.end(over.group, over.facts);
            }
            if self.line.fail_early && status != 0 {
                return status;
            }
        }
    }

    /// Waits for events, and handles them.
    fn turn(&mut self, running: &mut [Transfer]) {
        self.agent.wait(None);
        while let Some(event) = self.agent.next_event() {
            if self.line.verbose {
                verbose::tell(&event);
            }
            let of = |transfer: &&mut Transfer| event.id().is_some_and(|id| transfer.is(id));
            if let Some(transfer) = running.iter_mut().find(of) {
                transfer.take(event);
            }
        }
    }

    fn begin(&mut self, job: Job) -> Result<Transfer, (Box<Facts>, Failure)> {
        let number = self.begun;
        self.begun += 1;
        let given = &self.line.groups[job.group].urls[job.url];
        let mut facts = Box::new(Facts {
            number,
            given_url: given.clone(),
            ..Facts::default()
        });
        let begun = self.try_begin(job);
        match begun {
            Ok(mut transfer) => {
                transfer.facts.number = number;
                Ok(transfer)
            }
            Err(failure) => {
                facts.url = url::Url::parse(&facts.given_url).ok();
                Err((facts, failure))
            }
        }
    }

    fn try_begin(&mut self, job: Job) -> Result<Transfer, Failure> {
        let group = &self.line.groups[job.group];
        let mut given = group.urls[job.url].clone();
        if let Some(data) = group.data.as_ref().filter(|_| group.get) {
            given = Address::with_query(&given, &data.bytes);
        }
        let upload = group.uploads.get(job.url).map(String::as_str);
        let address = Address::parse(&given)?.with_upload(upload)?;
        let slot = &mut self.commons[job.group];
        let common = match slot {
            Some(common) => common,
            None => slot.insert(Common::of(group)?),
        };
        let mut output = Output::of(group, job.url, &address)?;
        let range_start = match group.continue_at.filter(|_| upload.is_none()) {
            None => 0,
            Some(ContinueAt::EndOfFile) => output.length(),
            Some(ContinueAt::Offset(offset)) => offset,
        };
        if range_start > 0 {
            output.append();
        }
        let from = (range_start > 0).then_some(range_start);
        let request = request::build(group, common, &address, upload, from)?;
        let method = request.method().to_string();
        let through_proxy = common.proxies.is_used_for(&address.url);
        let sent = self.agent.send(request);
        let start = Start {
            handle: sent.map_err(|error| Failure::of(&error, through_proxy, upload.is_some()))?,
            bar: self.bars.add(address.url.path(), output.is_stdout()),
            output,
            heads: group
                .dump_header
                .as_deref()
                .map(|path| Output::of_heads(path, job.url > 0)),
            range_start,
            uploads: upload.is_some(),
            through_proxy,
            shows_errors: self.line.shows_errors(),
        };
        let mut transfer = Transfer::new(start, job.group, group, &address);
        transfer.facts.method = method;
        Ok(transfer)
    }

    /// Prints what is left to say about a transfer that is over.
    fn end(&mut self, group: usize, facts: Facts) {
        if let Some(failure) = &facts.failure
            && self.line.shows_errors()
        {
            failure.print();
        }
        let Some(format) = &self.line.groups[group].write_out else {
            return;
        };
        let Written { stdout, stderr } = write_out::fill(format, &facts);
        // A closed pipe is already reported by the content's status.
        let _ = std::io::stdout().write_all(stdout.as_bytes());
        let _ = std::io::stdout().flush();
        let _ = std::io::stderr().write_all(stderr.as_bytes());
    }

    /// Writes cookies and secure hosts back. Like curl, it only warns when that fails.
    fn save(&self) {
        let now = SystemTime::now();
        for group in &self.line.groups {
            if let Some(path) = &group.cookie_jar {
                let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
                save(path, &jar.to_netscape(now));
            }
            if let (Some(path), Some(text)) = (&group.hsts, self.agent.save_hsts()) {
                save(path, &text);
            }
        }
    }
}

fn save(path: &str, text: &str) {
    let saved = match path {
        "-" => std::io::stdout().write_all(text.as_bytes()),
        path => std::fs::write(path, text),
    };
    if let Err(error) = saved {
        Failure::file(WRITE_ERROR, path, &error).print();
    }
}

fn load_cookies(group: &Group, jar: &Mutex<CookieJar>) -> Result<(), Failure> {
    let now = SystemTime::now();
    let mut jar = jar.lock().unwrap_or_else(PoisonError::into_inner);
    let files = group.cookies.iter().filter(|given| !given.contains('='));
    for path in files.filter(|path| !path.is_empty()) {
        // A missing file holds no cookies.
        let Ok(text) = data::read(path) else { continue };
        // Lines that are not cookies are ignored, as curl does.
        let _ = jar.load_netscape(&text, now);
    }
    if group.junk_session_cookies {
        jar.clear_session();
    }
    Ok(())
}

/// `host:port:address[,address…]`; the port is any, and a leading sign means nothing here.
fn resolve(resolver: &Resolver, given: &str) -> Result<(), Failure> {
    let malformed = || usage(format!("Couldn't parse CURLOPT_RESOLVE entry '{given}'"));
    let mut parts = given.trim_start_matches(['+', '-']).splitn(3, ':');
    let (Some(host), Some(_port), Some(addresses)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    let addresses = addresses
        .split(',')
        .map(|address| address.trim_matches(['[', ']']).parse())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| malformed())?;
    resolver.set_override(host, addresses);
    Ok(())
}
