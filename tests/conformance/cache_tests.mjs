// Runs the suite http-tests/cache-tests against the agent with its cache, as if it were a browser's. It needs Node.js
// 18, and nothing of the suite's dependencies.
//
//   git clone https://github.com/http-tests/cache-tests
//   cargo build --release --example cache_tests --features cache
//   node tests/conformance/cache_tests.mjs cache-tests target/release/examples/cache_tests
//
// The suite's own server, client and judgement run here, unchanged. Only `fetch` is replaced: it asks the agent. The
// figures of the browsers are those that the suite keeps, counted in the same way. A third argument runs the test with
// that id only, and shows its requests and responses.

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [suite, program, onlyId] = process.argv.slice(2)
if (program === undefined) {
  console.error('usage: node cache_tests.mjs SUITE PROGRAM [TEST-ID]')
  process.exit(2)
}
const load = file => import(pathToFileURL(path.resolve(suite, file)))
const print = console.log
// The suite's server reports what it refuses.
console.log = onlyId === undefined ? () => {} : console.error

const base = await startServer()
globalThis.fetch = fetchThroughAgent()
const { runTests, getResults } = await load('test-engine/client/runner.mjs')
const { determineTestResult, resultTypes } = await load('test-engine/lib/results.mjs')
const suites = (await load('tests/index.mjs')).default

// The tests for browsers, as the suite's runner selects them.
const tests = suites.flatMap(one => one.tests).filter(test => !test.cdn_only && !test.browser_skip)
const chosen = suites.map(one => ({
  ...one,
  tests: one.tests.filter(test => onlyId === undefined || test.id === onlyId)
}))
for (const test of chosen.flatMap(one => one.tests)) test.dump = onlyId !== undefined
await runTests(chosen, true, base)
const results = getResults()

if (onlyId !== undefined) {
  print(`${onlyId}: ${results[onlyId] === true ? 'passed' : results[onlyId]?.join(': ') ?? 'not for browsers'}`)
  process.exit(0)
}
for (const test of tests) {
  const result = results[test.id]
  if (kind(test) === 'required' && result !== true) {
    print(`${test.id} (${test.name}): ${result?.join(': ') ?? 'no result'}`)
  }
}
mkdirSync('target', { recursive: true })
writeFileSync('target/cache-tests.json', JSON.stringify(results, null, 2))
count('httpoll', results)
for (const browser of (await load('results/index.mjs')).default.filter(it => it.type === 'browser')) {
  count(`${browser.name} ${browser.version}`, JSON.parse(readFileSync(path.join(suite, 'results', browser.file))))
}
process.exit(0)

function kind (test) {
  return test.kind ?? 'required'
}

// Prints how many tests of each kind passed. Each test counts by itself, whether or not those that it depends on pass.
function count (name, results) {
  const figures = ['required', 'optimal', 'check'].map(wanted => {
    const ofKind = tests.filter(test => kind(test) === wanted)
    const passed = ofKind.filter(test => {
      const type = determineTestResult(suites, test.id, results, false)
      return type === resultTypes.pass || type === resultTypes.yes
    })
    return `${wanted} ${passed.length} of ${ofKind.length}`
  })
  print(`${name}: ${figures.join(', ')}`)
}

// Starts the suite's server in this process, on a free port of loopback instead of a fixed one of all addresses.
async function startServer () {
  const listen = net.Server.prototype.listen
  let server
  net.Server.prototype.listen = function () {
    server = this
    return listen.call(this, 0, '127.0.0.1')
  }
  mkdirSync('target', { recursive: true })
  Object.assign(process.env, {
    npm_config_protocol: 'http',
    npm_config_port: '0',
    npm_config_pidfile: path.resolve('target', 'cache-tests.pid')
  })
  await load('test-engine/server/server.mjs')
  net.Server.prototype.listen = listen
  return `http://127.0.0.1:${server.address().port}`
}

// A `fetch` that hands each request to the agent.
function fetchThroughAgent () {
  const agent = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const calls = new Map()
  agent.on('error', error => {
    console.error(`${program}: ${error.message}`)
    process.exit(1)
  })
  agent.on('exit', code => {
    console.error(`${program} ended with ${code}`)
    process.exit(1)
  })
  createInterface({ input: agent.stdout }).on('line', line => {
    const outcome = JSON.parse(line)
    calls.get(outcome.call)?.(outcome)
    calls.delete(outcome.call)
  })
  let last = 0
  const send = message => agent.stdin.write(JSON.stringify(message) + '\n')
  return (url, init = {}) => new Promise((resolve, reject) => {
    const call = ++last
    calls.set(call, outcome => {
      if (outcome.error !== undefined) {
        reject(init.signal?.aborted ? init.signal.reason : new TypeError(outcome.error))
      } else {
        resolve(asResponse(outcome))
      }
    })
    init.signal?.addEventListener('abort', () => send({ call, abort: true }))
    send({
      call,
      url,
      method: init.method ?? 'GET',
      headers: init.headers ?? [],
      body: init.body ?? null,
      cache: init.cache ?? 'default',
      redirect: init.redirect ?? 'follow'
    })
  })
}

// What the suite uses of a `Response`, whose constructor would refuse the suite's status 999.
function asResponse ({ status, reason, headers, body }) {
  return { status, statusText: reason, headers: new Headers(headers), text: async () => body }
}
