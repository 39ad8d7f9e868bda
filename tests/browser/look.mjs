// Opens pages as a reader's browser does, and says as JSON what it saw.
// node look.mjs BROWSER OUT PAGE.html@WAY,WAY… ; screenshots and the print go to OUT.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const [executablePath, out, ...asked] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAYS = [
  { name: 'light', scheme: 'light', width: 1280, height: 800 },
  { name: 'dark', scheme: 'dark', width: 1280, height: 800 },
  { name: 'tablet', scheme: 'light', width: 820, height: 1180 },
  { name: 'phone', scheme: 'light', width: 360, height: 740 },
  { name: 'phone-dark', scheme: 'dark', width: 360, height: 740 },
];

// What is in the page, asked of the page itself.
function facts() {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const ids = all('[id]').map((element) => element.id);
  const handlers = all('*').filter((element) => [...element.attributes].some((attribute) => /^on/i.test(attribute.name)));
  return {
    background: getComputedStyle(document.body).backgroundColor,
    scrollWidth: document.documentElement.scrollWidth,
    tooWide: all('body *').filter((element) => element.getBoundingClientRect().right > window.innerWidth + 0.5 && !element.closest('.wide')).slice(0, 3).map((element) => element.outerHTML.slice(0, 160)),
    scripts: all('script, iframe, object, embed, form, base').length + handlers.length,
    doubledIds: ids.filter((id, index) => ids.indexOf(id) !== index),
    deadAnchors: all('a[href^="#"]').map((link) => link.getAttribute('href').slice(1)).filter((id) => !document.getElementById(id)),
    links: all('a:not([href^="#"])').map((link) => link.href),
    charts: all('svg').length,
    namelessCharts: all('svg').filter((svg) => svg.getAttribute('role') !== 'img' || !svg.querySelector(':scope > title')?.textContent || !svg.querySelector(':scope > desc')?.textContent).length,
    height: document.documentElement.scrollHeight,
  };
}

const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  // In a container the browser has no user of its own to be kept apart from.
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--hide-scrollbars', '--disable-background-networking'],
});
const seen = [];
try {
  for (const [file, ways] of asked.map((page) => page.split('@'))) {
    const title = basename(file, '.html');
    for (const way of ways.split(',').map((name) => WAYS.find((known) => known.name === name))) {
      const page = await browser.newPage();
      const url = pathToFileURL(file).href;
      const requests = [];
      const console = [];
      page.on('request', (request) => {
        if (request.url() !== url && !request.url().startsWith('data:')) requests.push(request.url());
      });
      page.on('console', (message) => console.push(`${message.type()}: ${message.text()}`));
      page.on('pageerror', (error) => console.push(`error: ${error.message}`));
      page.on('dialog', (dialog) => { console.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
      await page.setViewport({ width: way.width, height: way.height });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: way.scheme }]);
      await page.goto(url, { waitUntil: 'load' });
      await page.screenshot({ path: join(out, `${title}-${way.name}-first.png`) });
      const closed = await page.evaluate(facts);
      await page.screenshot({ path: join(out, `${title}-${way.name}.png`), fullPage: true });
      let print;
      if (way.name === 'light' && !title.endsWith('-mail')) {
        const pdf = await page.pdf({ path: join(out, `${title}.pdf`), preferCSSPageSize: true, printBackground: true });
        const text = Buffer.from(pdf).toString('latin1');
        print = { box: text.match(/\/MediaBox\s*\[([^\]]*)\]/)[1].trim().split(/\s+/).map(Number), pages: [...text.matchAll(/\/Type\s*\/Page\b/g)].length };
      }
      await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
      const open = await page.evaluate(facts);
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations', 'passes'] }));
      const findings = violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.any.map((check) => check.message).join(' ').slice(0, 200)}`) }));
      const entry = { page: title, way: way.name, width: way.width, requests, console, findings, passes: passes.length, print, ...open, scrollWidth: Math.max(open.scrollWidth, closed.scrollWidth) };
      seen.push(entry);
      await page.close();
    }
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(seen));
