// Takes the picture of the page, and fails if the page logs an error or has no WebGL2.
import { chromium } from 'playwright-core';

const [executablePath, url, path] = process.argv.slice(2);
const browser = await chromium.launch({
    executablePath,
    args: [
        '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
        '--ignore-gpu-blocklist', '--disable-quic', '--no-first-run', '--disable-background-networking',
    ],
});
const page = await browser.newPage({ viewport: { width: 960, height: 540 } });
const errors = [];
page.on('console', (message) => {
    console.log(message.type(), message.text().slice(0, 300));
    if (message.type() === 'error') errors.push(message.text());
});
page.on('pageerror', (error) => {
    if (!String(error).includes('Using exceptions for control flow')) errors.push(String(error));
});
await page.goto(url);
const renderer = await page.evaluate(() => {
    const context = document.createElement('canvas').getContext('webgl2');
    return context && context.getParameter(context.RENDERER);
});
console.log('WebGL2:', renderer);
// The software renderer draws some 10 frames in a second, and the patch takes a while.
await page.waitForTimeout(Number(process.env.SECONDS_TO_PICTURE ?? 25) * 1000);
await page.screenshot({ path });
await browser.close();
if (!renderer || errors.length > 0) {
    console.error(errors.join('\n') || 'no WebGL2');
    process.exit(1);
}
