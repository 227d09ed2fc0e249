import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { fleet } from '../fleet.js';
import { alerts, awaySince, ended, isStoreAway, now, servers, serversNow, session } from '../live.js';
import { audible } from '../model/alerts.js';
import { timeOfDay } from '../model/text.js';
import { isNowhere } from '../model/tracks.js';
import { isDown } from '../model/verdict.js';
import { hrefOf, route } from '../router.js';
import { signOut } from '../session.js';
import { AgentPage } from './agent.js';
import { AgentsPage } from './agents.js';
import { CertificatesPage } from './certificates.js';
import { ChangePage } from './change.js';
import { CommandsPage } from './commands.js';
import { EventsPage } from './events.js';
import { NowPage } from './now.js';
import { ServersPage } from './servers.js';
import { SignIn } from './sign-in.js';

interface PageEntry {
  readonly name: string;
  readonly title: string;
  readonly Page: ComponentType;
  /** It has a line in the menu. */
  readonly isInMenu?: false;
  /** A number beside its name, of what needs a look. */
  count?(): number;
}

const PAGES: readonly PageEntry[] = [
  { name: 'now', title: 'Now', Page: NowPage },
  {
    name: 'agents',
    title: 'Agents',
    Page: AgentsPage,
    count: () => fleet.value.tracks.filter(track => isNowhere(track, now.value)).length,
  },
  { name: 'agent', title: 'Agent', Page: AgentPage, isInMenu: false },
  {
    name: 'servers',
    title: 'Servers',
    Page: ServersPage,
    count: () => serversNow.value.filter(isDown).length,
  },
  { name: 'change', title: 'Change', Page: ChangePage },
  { name: 'commands', title: 'Commands', Page: CommandsPage },
  { name: 'certificates', title: 'Certificates', Page: CertificatesPage },
  {
    name: 'events',
    title: 'Events and alerts',
    Page: EventsPage,
    count: () => audible(alerts.value).length,
  },
];

export function App() {
  if (session.value === undefined) {
    return (
      <main class="door">
        <p role="status">{awaySince.value === undefined ? 'One moment …' : 'This server does not answer yet.'}</p>
      </main>
    );
  }
  if (session.value === null) return <SignIn />;
  return <Frame />;
}

function Frame() {
  const { name } = route.value;
  const page = PAGES.find(one => one.name === name) ?? PAGES[0];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  // Another page begins at its top, for a screen reader too.
  useEffect(() => {
    document.title = `${page?.title ?? ''} – Muster`;
    if (!isFirst.current) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
    scrollTo(0, 0);
  }, [name]);
  if (page === undefined) return null;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        To the content
      </button>
      <div class="frame">
        <header class="side">
          <div class="brand">Muster</div>
          <nav aria-label="Pages">
            {PAGES.filter(({ isInMenu }) => isInMenu !== false).map(entry => (
              <a
                key={entry.name}
                class="entry"
                href={hrefOf(entry.name)}
                aria-current={entry.name === (page.name === 'agent' ? 'agents' : page.name) ? 'page' : undefined}
              >
                {entry.title}
                <Count entry={entry} />
              </a>
            ))}
          </nav>
          <Foot />
        </header>
        <main id="main" ref={main} tabIndex={-1}>
          <Away />
          {isStoreAway.value && awaySince.value === undefined && (
            <p class="banner bad" role="alert">
              The store is away: what is shown is what was last known, and nothing can be changed.
            </p>
          )}
          <page.Page />
        </main>
      </div>
    </>
  );
}

function Count({ entry }: { readonly entry: PageEntry }) {
  const count = entry.count?.() ?? 0;
  return count === 0 ? null : <span class="tag notice">{count.toLocaleString('en-US')}</span>;
}

function Foot() {
  const leave = async () => {
    await signOut();
    ended();
  };
  return (
    <div class="foot">
      <span>
        {session.value?.name}
        {session.value?.name === session.value?.role ? '' : ` (${session.value?.role})`} on {location.hostname}
      </span>
      <button type="button" onClick={() => void leave()}>
        Sign out
      </button>
    </div>
  );
}

/** The server that the page came from does not answer: it says so, and where else to look. */
function Away() {
  if (awaySince.value === undefined) return null;
  const others = servers.value.map(({ serviceip }) => serviceip).filter(address => address !== location.hostname);
  return (
    <p class="banner bad" role="alert">
      {location.hostname} has not answered since {timeOfDay(awaySince.value, true)}. What is shown is of that moment;
      the page goes on by itself when the server is back.
      {others.length > 0 && ' The other servers have a console as well: '}
      {others.map((address, index) => (
        <span key={address}>
          {index > 0 && ', '}
          <a
            href={`${location.protocol}//${address.includes(':') ? `[${address}]` : address}${location.port && `:${location.port}`}/${location.hash}`}
          >
            {address}
          </a>
        </span>
      ))}
    </p>
  );
}
