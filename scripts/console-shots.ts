// Pictures of the console for docs/console.md, from a cluster that it starts: node build/scripts/console-shots.js [FOLDER].
// It takes about a minute, and needs Debian's chromium.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { CHROMIUM, ConsoleCluster } from './console-cluster.js';

const AGENTS = 120;
/** For a machine that is busy. */
const WAIT_MS = 120_000;
const SIZE = { width: 1200, height: 780 };
/** For a page with a preview and the timeline below it. */
const TALL = { width: 1200, height: 1240 };

const folder = process.argv[2] ?? fileURLToPath(new URL('../../docs/console', import.meta.url));
if (CHROMIUM === undefined) {
  console.error('chromium is not installed: apt-get install chromium');
  process.exit(66);
}
mkdirSync(folder, { recursive: true });
const home = mkdtempSync(join(tmpdir(), 'muster-console-'));
const cluster = await ConsoleCluster.start({ folder: home, servers: 3, agents: AGENTS });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
try {
  await takeAll(browser);
} finally {
  await browser.close();
  cluster.stop();
  rmSync(home, { recursive: true, force: true });
}

async function takeAll(browser: Browser): Promise<void> {
  const [first = '', second = ''] = cluster.addresses;
  const page = await browser.newPage({ viewport: SIZE });
  page.setDefaultTimeout(WAIT_MS);
  await page.goto(cluster.urlOf(first));
  await take(page, 'sign-in');
  const { apiKey, secretKey } = await cluster.keyPair();
  await page.getByLabel('Key').fill(apiKey);
  await page.getByLabel('Secret').fill(secretKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await verdict(page, 'Healthy');
  // Nobody listens there: alerts are there all the same.
  await cluster.ask('updateConfiguration', { name: 'alert.webhook.url', value: 'http://127.0.0.1:9/' });
  // So that the timeline has a past.
  await sleep(20_000);
  await cluster.killServer(second);
  await verdict(page, 'is down');
  await sleep(15_000);
  await take(page, 'now');
  await page.emulateMedia({ colorScheme: 'dark' });
  await take(page, 'now-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await open(page, 'Agents');
  await page.getByRole('button', { name: 'By cause' }).click();
  await take(page, 'agents-by-cause');
  await open(page, 'Events and alerts');
  await page.getByRole('cell', { name: 'does not give signs of life' }).first().waitFor();
  await page.getByLabel(/^Alerts/).selectOption('drain-stuck');
  await page.getByLabel('Reason').fill('a new disk');
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  await page.getByRole('cell', { name: ': a new disk' }).waitFor();
  await take(page, 'events');
  await open(page, 'Agents');
  await cluster.startServer(second);
  await page.getByRole('button', { name: 'One by one' }).click();
  await take(page, 'agents');
  await page.locator('tbody a').first().click();
  await page.getByRole('heading', { name: 'Its moves' }).waitFor();
  await take(page, 'agent');
  await page.getByRole('button', { name: 'Ask its agent' }).click();
  await page.getByRole('cell', { name: 'takes agents' }).first().waitFor();
  await page.getByRole('region', { name: 'Doctor' }).scrollIntoViewIfNeeded();
  await take(page, 'doctor');
  await open(page, 'Now');
  await verdict(page, 'Healthy');
  await page.setViewportSize(TALL);
  await open(page, 'Change');
  await page.getByLabel('indirect.agent.lb.weights').fill(`${first}=2,${second}=1`);
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('heading', { name: 'would move' }).waitFor();
  await page.getByRole('button', { name: 'Canary first' }).waitFor();
  await take(page, 'change');
  await page.setViewportSize(SIZE);
  await page.getByRole('button', { name: 'Canary first' }).click();
  await page.getByText('Nothing speaks against it.').waitFor();
  await take(page, 'canary');
  await page.getByRole('button', { name: 'Take it back' }).click();
  await page.getByRole('region', { name: 'A canary' }).waitFor({ state: 'detached' });
  await open(page, 'Servers');
  const panel = page.getByRole('region', { name: second, exact: true });
  await panel.getByRole('button', { name: 'Prepare for maintenance' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Prepare for maintenance' }).click();
  await panel.getByText('Maintenance', { exact: true }).waitFor();
  await take(page, 'servers');
  await open(page, 'Commands');
  await page.locator('select').selectOption('all');
  await page.getByRole('button', { name: 'Send' }).click();
  // Other commands, such as a canary's, are listed before.
  await page.getByRole('heading', { level: 1, name: 'A command' }).waitFor();
  await page.getByText('done', { exact: true }).waitFor();
  await take(page, 'command');
  await open(page, 'Certificates');
  await page.locator('main table').first().waitFor();
  await take(page, 'certificates');
  await open(page, 'Now');
  await page.setViewportSize({ width: 390, height: 780 });
  await take(page, 'phone');
}

async function open(page: Page, name: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name }).click();
}

async function verdict(page: Page, text: string): Promise<void> {
  await page.getByRole('heading', { level: 1 }).filter({ hasText: text }).waitFor();
}

async function take(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  // For what is still on its way to the screen.
  await sleep(500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  console.log(`${name}.png`);
}
