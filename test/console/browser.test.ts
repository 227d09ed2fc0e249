import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { CHROMIUM, ConsoleCluster } from '../../scripts/console-cluster.js';
import { testFolder } from '../helpers/scratch.js';

// One browser and one cluster of two servers for all of it: what each part needs, the one before has left.

const AGENTS = 12;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WHITE = '255,255,255';
const NOTHING = '0,0,0,0';
const PHONE = { width: 375, height: 700 };

const isMissing = CHROMIUM === undefined && process.env.CI !== 'true';
if (isMissing) t.comment('chromium is not installed: the console is not tried in a browser');

t.test('console: in a real browser', { skip: isMissing && 'chromium is not installed' }, async t => {
  const folder = testFolder(t);
  const cluster = await ConsoleCluster.start({ folder, servers: 2, agents: AGENTS });
  t.teardown(() => cluster.stop());
  const browser = await chromium.launch({ executablePath: CHROMIUM ?? 'chromium', args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const [first = '', second = ''] = cluster.addresses;
  const operator = await cluster.keyPair();
  const page = await openPage(browser, cluster.urlOf(first));
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  page.on('console', message => {
    if (/Content.Security.Policy/i.test(message.text())) errors.push(message.text());
  });
  const requested = new Set<string>();
  page.on('request', request => requested.add(new URL(request.url()).host));
  const menu = (name: string) => page.getByRole('navigation').getByRole('link', { name }).click();
  const verdict = (text: string | RegExp) =>
    page.getByRole('heading', { level: 1 }).filter({ hasText: text }).waitFor();

  await t.test('regression: an answer that was broken off is none: the page goes on by itself', async () => {
    const brokenOff = { status: 200, contentType: 'application/json', body: '{"name":' };
    await page.route('**/console/session', route => route.fulfill(brokenOff), { times: 1 });
    await signIn(page, operator);
    await page.getByText('This server does not answer.').waitFor();
    await page.route('**/console/session', route => route.fulfill(brokenOff), { times: 1 });
    await page.reload();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
  });

  await t.test('who signs in with a wrong secret is told so, and with the right one is in', async t => {
    await signIn(page, { ...operator, secretKey: 'guessed' });
    await page.getByText('The key or the secret is wrong.').waitFor();
    await axe(t, page, 'the sign-in');
    await signIn(page, operator);
    await verdict('Healthy: survives the loss of any one server.');
    await page.getByText(`${AGENTS} agents`, { exact: true }).waitFor();
    t.notMatch(await page.evaluate('document.cookie'), /muster/, 'no script can read the session');
  });

  await t.test('a failover is seen on the timeline as it happens', async t => {
    await page.getByText('As text').click();
    await cluster.killServer(second);
    await verdict(/^127\.0\.0\.2 is down: \d+ agents moved in \d+\.\d s, none is nowhere\.$/);
    await page.getByRole('cell', { name: 'failover' }).first().waitFor();
    const colours = await rowColours(page);
    t.ok(colours.includes(WHITE), 'the gap is white');
    t.ok(colours.length >= 3, 'and the agents are on another server behind it');
    await axe(t, page, 'now');
    await cluster.startServer(second);
    await verdict('Healthy');
  });

  await t.test('a click on the timeline leads to the agent, with its moves', async t => {
    const box = await page.locator('.picture').boundingBox();
    t.ok(box);
    if (box !== null) await page.mouse.click(box.x + box.width - 3, box.y + box.height - 5);
    await page.getByRole('heading', { name: 'Its moves' }).waitFor();
    await page.getByRole('cell', { name: 'failback' }).first().waitFor();
    await page.getByRole('button', { name: 'Ask its agent' }).click();
    await page.getByText('all is well').or(page.getByText('Nothing is wrong.')).waitFor();
    await page.getByRole('cell', { name: `${second}: takes agents` }).waitFor();
    await axe(t, page, 'an agent');
  });

  await t.test('one agent is moved to another server', async t => {
    const here = await page.locator('li', { hasText: 'connected' }).innerText();
    const target = here.includes(second) ? first : second;
    await page.getByLabel('Another server').selectOption({ label: target });
    await page.getByRole('button', { name: 'Move', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Move', exact: true }).click();
    await page.getByText('It is there.').waitFor();
    await page.getByRole('cell', { name: 'migrate' }).first().waitFor();
    t.match(await page.locator('li', { hasText: 'connected' }).innerText(), target);
  });

  await t.test('agents are found by words, and one line has those of one cause', async t => {
    await menu('Agents');
    await page.getByRole('searchbox').fill(`server:${second}`);
    const rows = page.locator('tbody tr');
    const all = await rows.count();
    t.ok(all > 0 && all < AGENTS);
    await page.getByRole('button', { name: 'By cause' }).click();
    t.equal(await rows.count(), 1);
    await rows.getByRole('button', { name: String(all), exact: true }).click();
    t.match(
      await page.getByRole('searchbox').inputValue(),
      new RegExp(`server:${second}`),
      'and its count leads to them',
    );
    t.equal(await rows.count(), 1);
    await axe(t, page, 'agents');
  });

  await t.test('a change is looked at before it is made, and undone', async t => {
    await menu('Change');
    const algorithm = page.getByLabel('indirect.agent.lb.algorithm');
    await algorithm.selectOption('static');
    const make = page.getByRole('button', { name: 'Make 1 change' });
    t.equal(await make.isEnabled(), false, 'not before it was looked at');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('heading', { name: /\d+ of 12 agents would move/ }).waitFor();
    const drawn = await drawnStrip(page);
    await algorithm.selectOption('roundrobin');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('cell', { name: '50 %' }).first().waitFor();
    await drawnStrip(page, drawn);
    await algorithm.selectOption('static');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('cell', { name: '100 %' }).waitFor();
    await axe(t, page, 'a change');
    await make.click();
    await page.getByText('indirect.agent.lb.algorithm from rendezvous to static').waitFor();
    const holds = async () => {
      const { configuration } = await cluster.ask('listConfigurations', { name: 'indirect.agent.lb.algorithm' });
      return (configuration as readonly { readonly value: string }[])[0]?.value;
    };
    t.equal(await holds(), 'static');
    await page.getByRole('button', { name: 'Undo the last' }).click();
    await page.getByText('What was changed here').waitFor({ state: 'detached' });
    t.equal(await holds(), 'rendezvous');
  });

  await t.test('a canary is tried, verified by dials, and taken back; the next one holds for all', async t => {
    const host = page.locator('#host');
    const panel = page.getByRole('region', { name: /^A canary: 1 agent first$/ });
    const holds = async () => {
      const { configuration } = await cluster.ask('listConfigurations', { name: 'host' });
      return (configuration as readonly { readonly value: string }[])[0]?.value;
    };
    const begin = async (value: string) => {
      await host.fill(value);
      await page.getByRole('button', { name: 'Preview' }).click();
      await page.getByRole('button', { name: 'Canary first' }).click();
      await panel.waitFor();
    };
    const former = await holds();
    await begin(`${first},127.0.0.9`);
    await panel.getByText('1 host has failed to reach the servers that they would be told').waitFor();
    await panel.getByRole('cell', { name: /127\.0\.0\.9 port \d+: / }).waitFor();
    await axe(t, page, 'a canary that has failed');
    t.equal(await page.getByRole('button', { name: 'Canary first' }).count(), 0, 'there is one at most');
    await panel.getByRole('button', { name: 'Take it back' }).click();
    await panel.waitFor({ state: 'detached' });
    t.equal(await holds(), former);
    await begin(first);
    await panel.getByText('Nothing speaks against it.').waitFor();
    await panel.getByText('Have reached all servers of their lists: 1').waitFor();
    await panel.getByRole('button', { name: 'The rest too' }).click();
    await panel.waitFor({ state: 'detached' });
    t.equal(await holds(), first);
    await page.getByText(`host from ${former} to ${first}`).waitFor();
    await page.getByRole('button', { name: 'Undo the last' }).click();
    await page.getByText('What was changed here').waitFor({ state: 'detached' });
    t.equal(await holds(), former);
  });

  await t.test('regression: which server agents prefer is followed while a canary stands, and behind it', async t => {
    const ofSecond = (agents: unknown) =>
      (agents as readonly { readonly preferredhost: string }[]).filter(({ preferredhost }) => preferredhost === second);
    const preferring = async () => ofSecond((await cluster.ask('listAgentLinks', { pagesize: '-1' })).agentlink).length;
    /** When agents have the lists that hold for all. */
    const settled = async () => {
      const { preview } = await cluster.ask('previewHostList', { pagesize: '-1' });
      const wanted = ofSecond((preview as { readonly agents: unknown }).agents).length;
      while ((await preferring()) !== wanted);
      return wanted;
    };
    const standing = async () => {
      const { canary } = await cluster.ask('listCanaries');
      return (canary as readonly { readonly id: number; readonly hosts: number; readonly listed: number }[])[0];
    };
    const isShown = (count: number) => page.getByRole('status').getByText(`${count} agents`, { exact: true }).waitFor();
    const before = await settled();
    await menu('Agents');
    await page.getByLabel('Which agents').fill(`preferred:${second}`);
    await isShown(before);
    await cluster.ask('startCanary', { host: second, percent: '50' });
    let canary = await standing();
    while (canary === undefined || canary.listed < canary.hosts) canary = await standing();
    const meanwhile = await preferring();
    t.ok(meanwhile > before);
    await isShown(meanwhile);
    await cluster.ask('deleteCanary', { id: String(canary.id) });
    await isShown(before);
  });

  await t.test('a command is sent, and its results are watched', async t => {
    await menu('Commands');
    await page.locator('select').selectOption('all');
    await page.getByRole('button', { name: 'Send' }).click();
    // Other commands, such as a canary's, are listed before.
    await page.getByRole('heading', { level: 1, name: 'A command' }).waitFor();
    await page.getByText('done', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'answered' }).click();
    t.equal(await page.locator('tbody tr').count(), AGENTS);
    await axe(t, page, 'a command');
  });

  await t.test('a server is drained, and comes back', async t => {
    await menu('Servers');
    const panel = page.getByRole('region', { name: second, exact: true });
    await panel.getByRole('button', { name: 'Prepare for maintenance' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Prepare for maintenance' }).click();
    await panel.getByText('Maintenance', { exact: true }).waitFor();
    await panel.getByText('0 agents').waitFor();
    await page.getByRole('cell', { name: /^\d+ agents? ha(s|ve) moved, none is left$/ }).waitFor();
    t.match(await panel.locator('dl').innerText(), /brought there by\s+(?!the servers)/);
    await axe(t, page, 'servers');
    await panel.getByRole('button', { name: 'Back into service' }).click();
    await panel.getByText('Up', { exact: true }).waitFor();
  });

  await t.test('the other pages are there', async t => {
    for (const name of ['Certificates', 'Events and alerts']) {
      await menu(name);
      await page.getByRole('heading', { level: 1, name }).waitFor();
      await page.locator('main table').first().waitFor();
      await axe(t, page, name);
    }
    await page.getByLabel('Reason').fill('a new disk');
    await page.getByRole('button', { name: 'Silence', exact: true }).click();
    await page.getByRole('cell', { name: /^Alerts server-down are silent until .*: a new disk$/ }).waitFor();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByText('No alert is silenced.').waitFor();
  });

  await t.test('on a phone no page is wider than the screen', async t => {
    const size = page.viewportSize();
    await page.setViewportSize(PHONE);
    const widthOf = async () => Number(await page.evaluate('document.documentElement.scrollWidth'));
    for (const name of ['Now', 'Agents', 'Servers', 'Change', 'Commands', 'Certificates', 'Events and alerts']) {
      await menu(name);
      await page.locator('main .panel').first().waitFor();
      t.ok((await widthOf()) <= PHONE.width, name);
    }
    await menu('Agents');
    await page.getByRole('button', { name: 'One by one' }).click();
    await page.locator('tbody a').first().click();
    await page.getByRole('heading', { name: 'Its moves' }).waitFor();
    t.ok((await widthOf()) <= PHONE.width, 'an agent');
    if (size !== null) await page.setViewportSize(size);
  });

  await t.test('a reader has no buttons, and is refused what it is not allowed', async t => {
    const { apikey } = await cluster.ask('createApiKey', { name: 'looks', role: 'reader' });
    const { apikey: apiKey, secretkey: secretKey } = apikey as { readonly apikey: string; readonly secretkey: string };
    const context = await browser.newContext();
    const other = await openPage(context, cluster.urlOf(first));
    // Other servers' keys are read every second or so.
    await signIn(other, { apiKey, secretKey });
    await other.getByRole('navigation').getByRole('link', { name: 'Servers' }).click();
    await other.getByRole('region', { name: first, exact: true }).waitFor();
    t.equal(await other.locator('main button').count(), 0);
    await cluster.ask('startCanary', { host: first });
    await other.getByRole('navigation').getByRole('link', { name: 'Change' }).click();
    await other.getByRole('region', { name: /^A canary: 1 agent first$/ }).waitFor();
    t.equal(await other.locator('main button').count(), 0, 'it sees a canary without buttons');
    const { canary } = await cluster.ask('listCanaries', {});
    await cluster.ask('deleteCanary', { id: String((canary as readonly { readonly id: number }[])[0]?.id) });
    const status = await other.evaluate(
      `fetch('/client/api?command=rebalanceAgents', { method: 'POST', headers: { 'X-Muster-Console': '1' } }).then(r => r.status)`,
    );
    t.equal(status, 432);
    await other.getByRole('navigation').getByRole('link', { name: 'Agents' }).click();
    await other.locator('tbody a').first().click();
    await other.getByRole('heading', { name: 'Its moves' }).waitFor();
    t.equal(await other.locator('main button').count(), 0, 'nor can it ask an agent');
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('button', { name: 'Sign in' }).waitFor();
    await context.close();
  });

  await t.test('the server of the page dies: the page says so, and goes on when it is back', async () => {
    await menu('Now');
    await cluster.killServer(first);
    await page.getByText('127.0.0.1 has not answered since').waitFor();
    await page
      .locator('.verdict.past')
      .getByText(/^As of \d+:\d+:\d+\.$/)
      .waitFor();
    await page.getByRole('alert').getByRole('link', { name: second }).waitFor();
    await cluster.startServer(first);
    await page.getByText('127.0.0.1 has not answered since').waitFor({ state: 'detached' });
    await verdict('Healthy');
    await page.getByText('As text').click();
    await page.getByRole('cell', { name: 'failback' }).first().waitFor();
  });

  t.same(errors, [], 'no script has failed, and nothing was against the policy');
  t.same([...requested], [new URL(cluster.urlOf(first)).host], 'nothing was asked of anybody else');
});

type Opener = Pick<Browser, 'newPage'>;

async function openPage(browser: Opener, url: string): Promise<Page> {
  const page = await browser.newPage();
  // The test's own time is the limit.
  page.setDefaultTimeout(0);
  await page.goto(url);
  return page;
}

async function signIn(page: Page, { apiKey, secretKey }: { readonly apiKey: string; readonly secretKey: string }) {
  await page.getByLabel('Key').fill(apiKey);
  await page.getByLabel('Secret').fill(secretKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Accessibility of what is shown, by daylight and in the dark. */
async function axe(t: Test, page: Page, what: string): Promise<void> {
  await page.evaluate(AXE);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const found = (await page.evaluate('axe.run()')) as AxeResults;
    t.same(
      found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join('; ')}`),
      [],
      `${what}, ${colorScheme}`,
    );
  }
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly target: readonly string[] }[];
  }[];
}

/**
 * Waits until something is drawn beside the timeline, where the agents would prefer to be, and it is another picture.
 * @returns the colours of its rows
 */
async function drawnStrip(page: Page, former = ''): Promise<string> {
  for (;;) {
    const colours = (await page.evaluate(`new Promise(resolve => requestAnimationFrame(() => {
      const canvas = document.querySelector('.strip canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, 1, canvas.height);
      resolve(Array.from({ length: canvas.height }, (_, row) => data.slice(4 * row, 4 * row + 4).join()));
    }))`)) as readonly string[];
    const picture = colours.join(' ');
    if (picture !== former && colours.some(colour => colour !== NOTHING)) return picture;
  }
}

/** The colours of the timeline's last row: of an agent that prefers the second server. */
async function rowColours(page: Page): Promise<readonly string[]> {
  return (await page.evaluate(`(() => {
    const canvas = document.querySelector('.picture canvas');
    const { data } = canvas.getContext('2d').getImageData(0, canvas.height - 2, canvas.width, 1);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) colours.add(data.slice(at, at + 3).join());
    return [...colours];
  })()`)) as readonly string[];
}
