//! A page that gets one text with an agent.

use httpoll::{Agent, Event, RetryPolicy};
use wasm_bindgen::prelude::wasm_bindgen;

/// What a page holds.
#[wasm_bindgen]
pub struct Page {
    agent: Agent,
    text: Option<String>,
}

#[wasm_bindgen]
impl Page {
    /// Asks for a URL.
    #[wasm_bindgen(constructor)]
    pub fn new(url: &str) -> Self {
        let mut agent = Agent::new();
        let sent = agent.get(url).retries(RetryPolicy::standard()).send();
        let text = match sent {
            Ok(handle) => {
                handle.detach();
                None
            }
            Err(error) => Some(error.to_string()),
        };
        Self { agent, text }
    }

    /// Called in each animation frame; the text, once it is there.
    pub fn frame(&mut self) -> Option<String> {
        self.agent.poll();
        while let Some(event) = self.agent.next_event() {
            match event {
                Event::Done { response, .. } => self.text = Some(response.text()),
                Event::Failed { error, .. } => self.text = Some(error.to_string()),
                _ => {}
            }
        }
        self.text.take()
    }
}
