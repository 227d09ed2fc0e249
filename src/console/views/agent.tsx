import { useSignal } from '@preact/signals';
import type { ResponseObject } from '../../api/types.js';
import { ask, list, startJob } from '../api.js';
import { fleet, lastMoves } from '../fleet.js';
import { isOperator } from '../live.js';
import { seconds } from '../model/text.js';
import { go, hrefOf, route } from '../router.js';
import { outcomeOf } from './jobs.js';
import { Action, Ago, At, Facts, Failure, ServerAt, StateTag, Table, TrackState, useReading } from './parts.js';

const MOVES = 100;

export function AgentPage() {
  const id = route.value.path;
  const asked = useSignal(0);
  const again = () => {
    asked.value++;
  };
  const { value, failure } = useReading(async () => {
    const [links, hosts, moves] = await Promise.all([
      list('listAgentLinks', { hostid: id }),
      list('listHosts', { id }),
      list('listMoves', { hostid: id, pagesize: MOVES }),
    ]);
    return { link: links.items[0], host: hosts.items[0], moves };
  }, [id, lastMoves.value.get(id), asked.value]);
  const known = value.value;
  if (failure.value !== undefined && known === undefined) return <Failure text={failure.value} />;
  if (known === undefined) return <p role="status">Reading …</p>;
  const { link, host, moves } = known;
  if (link === undefined || host === undefined)
    return <Failure text="There is no agent with this id, or none any more." />;
  const track = fleet.value.tracks.find(one => one.id === id);
  return (
    <>
      <div class="row">
        <h1>{host.name}</h1>
        {track === undefined ? <StateTag state="new" /> : <TrackState track={track} />}
        <a class="grow" href={hrefOf('agents')}>
          All agents
        </a>
      </div>
      <Failure text={failure.value} />
      <section class="panel" aria-labelledby="link">
        <header>
          <h2 id="link">Its list and its link</h2>
        </header>
        <ol class="hops">
          {link.hostlist.map((address, index) => (
            <li key={address}>
              <ServerAt address={address} /> {index === 0 && <span class="tag">preferred</span>}{' '}
              {address === link.connectedhost && <span class="tag good">connected</span>}
            </li>
          ))}
        </ol>
        {link.hostlist.length === 0 && <p class="empty">It has told no list yet.</p>}
        <Facts
          facts={[
            ['connected to', link.connectedhost ? <ServerAt address={link.connectedhost} /> : 'nobody'],
            ['since', <Ago key="since" at={link.since} />],
            ['algorithm', link.algorithm],
            ['configuration', link.configurationversion],
            ['last ping', <Ago key="ping" at={link.lastpinged} />],
            ['round trip', typeof link.roundtripms === 'number' ? `${link.roundtripms} ms` : undefined],
            ['links lost since its start', link.failovers],
            ['why the last one was lost', link.lastloss],
            ['behind', link.lag],
          ]}
        />
      </section>
      <section class="panel" aria-labelledby="moves">
        <header>
          <h2 id="moves">Its moves</h2>
          <span class="muted small">{moves.count > MOVES ? `the last ${MOVES} of ${moves.count}` : ''}</span>
        </header>
        <Moves moves={moves.items} />
      </section>
      <section class="panel" aria-labelledby="host">
        <header>
          <h2 id="host">Its host</h2>
        </header>
        <Facts
          facts={[
            ['address', host.ipaddress],
            ['zone', host.zonename],
            ['pod', host.podname],
            ['cluster', host.clustername],
            ['agent', host.version],
            ['hypervisor', host.hypervisor],
            ['processors', host.cpunumber],
            ['memory', host.memorytotal ? `${(host.memorytotal / 2 ** 30).toFixed(1)} GiB` : undefined],
            ['tags', host.hosttags],
            ['annotation', host.annotation],
            ['registered', <At key="created" at={host.created} />],
            [
              'id',
              <span class="mono" key="id">
                {host.id}
              </span>,
            ],
          ]}
        />
      </section>
      <section class="panel" aria-labelledby="certificate">
        <header>
          <h2 id="certificate">Its certificate</h2>
          <CertificateState state={host.certificatestate} />
        </header>
        <Facts
          facts={[
            ['serial number', host.certificateserial && <span class="mono">{host.certificateserial}</span>],
            ['ends', <At key="ends" at={host.certificateends} />],
            ['is renewed', <At key="renews" at={host.certificaterenews} />],
            ['why it could not be renewed', link.certificatefailure],
          ]}
        />
      </section>
      {isOperator.value && <Doctor key={id} id={id} />}
      {isOperator.value && <Buttons host={host} connected={link.connectedhost} done={again} />}
    </>
  );
}

export function CertificateState({ state }: { readonly state: string | null | undefined }) {
  const kind = state === 'good' ? 'good' : state === 'due' || state === 'none' ? 'notice' : state ? 'bad' : '';
  return <span class={`tag ${kind}`}>{state ?? 'not known'}</span>;
}

function Moves({ moves }: { readonly moves: readonly ResponseObject<'listMoves'>[] }) {
  const address = (serverId: string | null | undefined) =>
    fleet.value.servers.find(server => server.id === serverId)?.address;
  return (
    <Table
      label="Moves"
      items={moves}
      keyOf={({ id }) => id}
      empty="It has not moved."
      columns={[
        { name: 'when', isShort: true, cell: ({ at }) => <At at={at} /> },
        { name: 'kind', isShort: true, cell: ({ kind }) => kind },
        { name: 'cause', isShort: true, cell: ({ cause }) => cause },
        { name: 'from', isShort: true, cell: move => <ServerAt address={address(move.frommanagementserverid)} /> },
        { name: 'to', isShort: true, cell: move => <ServerAt address={address(move.tomanagementserverid)} /> },
        { name: 'gap', isNumber: true, cell: ({ gap }) => (typeof gap === 'number' ? seconds(gap) : '') },
      ]}
    />
  );
}

const LEVELS = { ok: 'good', warn: 'notice', error: 'bad' } as const;

/** Its agent looks at itself when it is asked to. */
function Doctor({ id }: { readonly id: string }) {
  const found = useSignal<ResponseObject<'diagnoseHost'> | undefined>(undefined);
  return (
    <section class="panel stack" aria-labelledby="doctor">
      <header>
        <h2 id="doctor">Doctor</h2>
        <span class="muted small">
          its agent looks at its files and certificates, and dials every server of its list
        </span>
      </header>
      <Action
        label="Ask its agent"
        perform={async () => {
          found.value = undefined;
          const { diagnosis } = await outcomeOf(await startJob('diagnoseHost', { id }));
          // The API's table says what it is.
          found.value = diagnosis as ResponseObject<'diagnoseHost'>;
          return found.value.result ? 'Nothing is wrong.' : found.value.details;
        }}
      />
      {found.value !== undefined && (
        <Table
          label="Findings"
          items={found.value.findings}
          keyOf={({ what, found }) => `${what} ${found}`}
          empty="There was nothing to look at."
          columns={[
            { name: 'level', isShort: true, cell: ({ level }) => <Level level={level} /> },
            { name: 'what', cell: ({ what }) => what },
            { name: 'found', cell: ({ found }) => found },
            { name: 'what to do', cell: ({ remedy }) => remedy },
          ]}
        />
      )}
    </section>
  );
}

function Level({ level }: { readonly level: string }) {
  const kind = LEVELS[level as keyof typeof LEVELS] ?? 'bad';
  return <span class={`tag ${kind}`}>{level}</span>;
}

interface ButtonsParts {
  readonly host: ResponseObject<'listHosts'>;
  /** The address of the server that it is connected to. */
  readonly connected: string | null | undefined;
  readonly done: () => void;
}

function Buttons({ host, connected, done }: ButtonsParts) {
  const { id, name } = host;
  const target = useSignal('');
  const others = fleet.value.servers.filter(({ address }) => address !== connected);
  const tags = useSignal(host.explicithosttags ?? '');
  const annotation = useSignal(host.annotation ?? '');
  return (
    <section class="panel stack" aria-labelledby="do">
      <h2 id="do">What can be done</h2>
      <div class="fields">
        <label class="field">
          Tags
          <input value={tags.value} onInput={event => (tags.value = event.currentTarget.value)} />
          <span class="hint">with commas between them; those of its agent stay</span>
        </label>
        <label class="field">
          Annotation
          <input value={annotation.value} onInput={event => (annotation.value = event.currentTarget.value)} />
        </label>
      </div>
      <Action
        label="Save tags and annotation"
        perform={async () => {
          await ask('updateHost', { id, hosttags: tags.value, annotation: annotation.value });
          done();
          return 'Saved.';
        }}
      />
      <Action
        label="Reconnect"
        question={`The link of ${name} ends, and its agent comes back by its list.`}
        perform={async () => {
          await outcomeOf(await startJob('reconnectHost', { id }));
          done();
          return 'It is back.';
        }}
      />
      <div class="row ends">
        <label class="field">
          Another server
          <select value={target.value} onChange={event => (target.value = event.currentTarget.value)}>
            <option value="">choose one</option>
            {others.map(server => (
              <option key={server.id} value={server.id}>
                {server.address}
              </option>
            ))}
          </select>
        </label>
        <Action
          label="Move"
          question={`${name} goes there without a gap, and goes back when it next checks its preferred server.`}
          disabled={!others.some(server => server.id === target.value)}
          perform={async () => {
            await outcomeOf(await startJob('migrateHost', { id, managementserverid: target.value }));
            done();
            return 'It is there.';
          }}
        />
      </div>
      <Action
        label="New certificate"
        question={`${name} gets another certificate over its link.`}
        perform={async () => {
          await outcomeOf(await startJob('provisionCertificate', { hostid: id }));
          done();
          return 'It has another certificate.';
        }}
      />
      <Action
        label="Delete"
        kind="danger"
        question={`${name} is removed: its agent is told not to come back, and its certificate is good no more.`}
        perform={async () => {
          await ask('deleteHost', { id });
          go(hrefOf('agents'));
          return 'It is removed.';
        }}
      />
    </section>
  );
}
