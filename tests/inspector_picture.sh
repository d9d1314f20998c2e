#!/usr/bin/env bash
# Makes assets/inspector.png: the inspector page of the example `serve` in headless Chromium, with traffic. Needs
# Chromium, Node.js with npm, and curl.
#
#   tests/inspector_picture.sh
set -euo pipefail
cd "$(dirname "$0")/.."

chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT

cargo build --release --example serve --features full
target/release/examples/serve --root assets >"$folder/serve.log" &
until grep -q '^http' "$folder/serve.log"; do :; done
url=$(head -1 "$folder/serve.log")
curl -sN "${url}sse" >/dev/null &
for _ in 1 2 3; do
    curl -s "${url}load" >/dev/null
    curl -s "${url}slow" >/dev/null &
done

npm install --silent --prefix "$folder" playwright-core@1
cat >"$folder/picture.mjs" <<'SCRIPT'
import { chromium } from 'playwright-core';
const [executablePath, url, path] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
await page.goto(`${url}debug`);
await page.waitForTimeout(3000); // the page shows seconds
await page.screenshot({ path });
await browser.close();
SCRIPT
node "$folder/picture.mjs" "$chromium" "$url" "$PWD/assets/inspector.png"
