import { useComputed } from '@preact/signals';
import { fleet, isFleetRead } from '../fleet.js';
import { alerts, awaySince, canaries, configured, events, isStoreAway, now, serversNow } from '../live.js';
import { type Shares, sharesOf } from '../model/shares.js';
import { timeOfDay } from '../model/text.js';
import { isDown, takesAgents, verdict } from '../model/verdict.js';
import { colourOf } from '../palette.js';
import { hrefOf } from '../router.js';
import { Ago, Swatch } from './parts.js';
import { Timeline } from './timeline.js';

export function NowPage() {
  const judged = useComputed(() =>
    verdict({
      fleet: fleet.value,
      servers: serversNow.value,
      isStoreAway: isStoreAway.value,
      alerts: alerts.value,
      canaries: canaries.value,
      capacity: Number(configured('agents.capacity') ?? 0),
      now: now.value,
    }),
  );
  const shares = useComputed(() => sharesOf(fleet.value, serversNow.value));
  if (!isFleetRead.value) return <p role="status">Reading where the agents are …</p>;
  const { level, sentence } = judged.value;
  return (
    <>
      <div class={`verdict ${awaySince.value === undefined ? level : 'past'}`} role="status">
        <h1>{sentence}</h1>
        {awaySince.value !== undefined && <p class="small">As of {timeOfDay(awaySince.value, true)}.</p>}
      </div>
      <section class="panel" aria-labelledby="servers-now">
        <header>
          <h2 id="servers-now">Servers</h2>
          <span class="muted small">{fleet.value.tracks.length.toLocaleString('en-US')} agents</span>
        </header>
        <Bars shares={shares.value} />
      </section>
      <Timeline />
      <section class="panel" aria-labelledby="events-now">
        <header>
          <h2 id="events-now">Last events</h2>
          <a class="grow small" href={hrefOf('events')}>
            All events
          </a>
        </header>
        <table>
          <tbody>
            {events.value.slice(0, 6).map(event => (
              <tr key={event.id}>
                <td class="first muted">
                  <Ago at={event.created} />
                </td>
                <td class="words">{event.description}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function Bars({ shares: { shares, even, most } }: { readonly shares: Shares }) {
  const percent = (agents: number) => `${Math.min(100, (100 * agents) / (most * 1.04))}%`;
  const isForetold = shares.some(({ server }) => server.survivorLoad !== undefined);
  return (
    <div class="stack">
      <div class="bars">
        {shares.map(({ server, number, agents, guests, preferring }) => (
          <div class="share" key={server.address}>
            <span class="server">
              <Swatch number={number || -1} />
              <a href={hrefOf('agents', { search: `server:${server.address}` })}>{server.address}</a>
              {!takesAgents(server) && (
                <span class={`tag ${isDown(server) ? 'bad' : 'notice'}`}>{isDown(server) ? 'Down' : server.state}</span>
              )}
            </span>
            <div
              class="bar"
              role="img"
              aria-label={`${server.address}: ${agents} agents, ${preferring} prefer it; ${Math.round(even)} is its even share${server.survivorLoad === undefined ? '' : `, ${server.survivorLoad} at most when another server is lost`}`}
            >
              <div class="fill" style={{ width: percent(agents), background: colourOf(number) }} />
              <div class="guests" style={{ left: percent(agents - guests), width: percent(guests) }} />
              {takesAgents(server) && <div class="even" style={{ left: percent(even) }} />}
              {server.survivorLoad !== undefined && (
                <div class="without" style={{ left: percent(server.survivorLoad) }} />
              )}
            </div>
            <span class="number">
              {agents.toLocaleString('en-US')}
              <span class="muted"> of {preferring.toLocaleString('en-US')}</span>
            </span>
          </div>
        ))}
      </div>
      <div class="key">
        <span>
          <span class="mark" />
          even share
        </span>
        {isForetold && (
          <span>
            <span class="mark without" />
            at most, when another server is lost
          </span>
        )}
        <span>hatched: agents that prefer another server</span>
        <span>right: agents there, of those that prefer it</span>
      </div>
    </div>
  );
}
